"""What runs together."""

import pytest

from music_streams.ingest.batches import Taken, groups
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from music_streams.validation.verdicts import Judgement


def taken(name: str, status: Status, attempt: int = 1, treatment: Treatment = Treatment.NORMAL) -> Taken:
    source = Source("landing", f"incoming/{name}.csv", "v1", 5, "2026-11-21T21:03:25.123Z")
    return Taken(Entry(source, status, "2026-11-21T21:03:25.123Z", attempt, "batch"), treatment)


def grouped(*all_taken: Taken) -> list[list[str]]:
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
    assert grouped(
        taken("once", Status.FAILED, 1),
        taken("twice", Status.FAILED, 2),
        taken("often", Status.FAILED, 9),
        taken("also once", Status.FAILED, 1),
    ) == [["once.csv", "also once.csv"], ["twice.csv"], ["often.csv"]]


def test_nothing_makes_no_group():
    assert grouped() == []


@pytest.mark.parametrize(
    ("status", "treatment", "is_staged"),
    [
        (Status.RECEIVED, Treatment.NORMAL, True),
        (Status.QUARANTINED, Treatment.ACCEPT_BAD_ROWS, True),
        (Status.ARCHIVED, Treatment.RETRACT, False),
    ],
)
def test_what_is_to_be_retracted_is_listed_and_not_read(status, treatment, is_staged):
    each = taken("a", status, treatment=treatment)
    assert each.is_staged is is_staged
    assert each.listed.treatment == treatment


def test_a_reference_file_is_not_staged():
    source = Source("landing", "reference/songs/a.csv", "v1", 5, "2026-11-21T21:03:25.123Z")
    assert not Taken(Entry(source, Status.RECEIVED, "", 1)).is_staged


@pytest.mark.parametrize(("is_gzip", "suffix"), [(False, ".csv"), (True, ".csv.gz")])
def test_the_staged_name_tells_spark_whether_it_is_gzip(is_gzip, suffix):
    entry = taken("a.csv.gz.csv", Status.RECEIVED).entry
    listed = Taken(entry, judgement=Judgement(None, header=["user_id"], is_gzip=is_gzip)).listed
    assert listed.input == entry.source.source_id + suffix
    assert listed.header == ["user_id"]


@pytest.mark.parametrize(
    ("status", "follows"), [(Status.FAILED, "batch-2"), (Status.ARCHIVED, ""), (Status.QUARANTINED, "")]
)
def test_a_further_attempt_follows_the_execution_that_failed(status, follows):
    assert taken("a", status, 2).follows == follows
