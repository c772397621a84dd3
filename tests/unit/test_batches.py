"""What runs together."""

import pytest

from music_streams.ingest.batches import PendingSource, groups
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from music_streams.validation.verdicts import Validation


def taken(
    name: str, status: Status, attempt: int = 1, treatment: Treatment = Treatment.NORMAL, prefix: str = "incoming"
) -> PendingSource:
    source = Source("landing", f"{prefix}/{name}.csv", "v1", 5, "2026-11-21T21:03:25.123Z")
    return PendingSource(Entry(source, status, "2026-11-21T21:03:25.123Z", attempt, "batch"), treatment)


def grouped(*all_taken: PendingSource) -> list[list[str]]:
    return [[each.entry.source.key.removeprefix("incoming/") for each in group] for group in groups(all_taken)]


def test_new_sources_run_together_and_further_attempts_too():
    assert grouped(
        taken("replayed", Status.ARCHIVED, 7),
        taken("a", Status.RECEIVED),
        taken("failed", Status.FAILED),
        taken("b", Status.RECEIVED),
        taken("released", Status.QUARANTINED, 2, Treatment.ACCEPT_BAD_ROWS),
    ) == [["a.csv", "b.csv"], ["replayed.csv", "failed.csv", "released.csv"]]


def test_what_failed_twice_runs_alone():
    attempts = {"once": 1, "twice": 2, "often": 9, "also once": 1}
    failed = (taken(name, Status.FAILED, attempt) for name, attempt in attempts.items())
    assert grouped(*failed) == [["once.csv", "also once.csv"], ["twice.csv"], ["often.csv"]]
    assert grouped() == []


@pytest.mark.parametrize(
    ("prefix", "treatment", "is_staged"),
    [
        ("incoming", Treatment.NORMAL, True),
        ("incoming", Treatment.ACCEPT_BAD_ROWS, True),
        ("incoming", Treatment.RETRACT, False),
        ("reference/songs", Treatment.NORMAL, False),
    ],
)
def test_what_is_to_be_retracted_and_reference_data_are_listed_and_not_staged(prefix, treatment, is_staged):
    each = taken("a", Status.ARCHIVED, treatment=treatment, prefix=prefix)
    assert each.is_staged is is_staged
    assert each.listed.treatment == treatment


@pytest.mark.parametrize(("is_gzip", "suffix"), [(False, ".csv"), (True, ".csv.gz")])
def test_the_staged_name_tells_spark_whether_it_is_gzip(is_gzip, suffix):
    entry = taken("a.csv.gz.csv", Status.RECEIVED).entry
    listed = PendingSource(entry, validation=Validation(None, header=["user_id"], is_gzip=is_gzip)).listed
    assert listed.input == entry.source.source_id + suffix
    assert listed.header == ["user_id"]


@pytest.mark.parametrize(
    ("status", "follows"), [(Status.FAILED, "batch-2"), (Status.ARCHIVED, ""), (Status.QUARANTINED, "")]
)
def test_a_further_attempt_follows_the_execution_that_failed(status, follows):
    assert taken("a", status, 2).follows == follows
