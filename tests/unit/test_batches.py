"""Pending sources are grouped into batches and listed in the manifest."""

import pytest

from music_streams.ingest.batches import PendingSource, groups
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Validation


def pending(
    name: str, status: Status, attempt: int = 1, treatment: Treatment = Treatment.NORMAL, prefix: str = "incoming"
) -> PendingSource:
    source = Source("landing", f"{prefix}/{name}.csv", "v1", 5, "2026-11-21T21:03:25.123Z")
    return PendingSource(Entry(source, status, "2026-11-21T21:03:25.123Z", attempt, "batch"), treatment)


def grouped(*sources: PendingSource) -> list[list[str]]:
    return [[source.entry.source.key.removeprefix("incoming/") for source in group] for group in groups(sources)]


def test_new_sources_and_new_attempts_are_separate_batches():
    assert grouped(
        pending("replayed", Status.ARCHIVED, 7),
        pending("a", Status.RECEIVED),
        pending("failed", Status.FAILED),
        pending("b", Status.RECEIVED),
        pending("released", Status.QUARANTINED, 2, Treatment.ACCEPT_BAD_ROWS),
    ) == [["a.csv", "b.csv"], ["replayed.csv", "failed.csv", "released.csv"]]


def test_a_source_whose_second_or_a_later_attempt_failed_runs_alone():
    attempts = {"once": 1, "twice": 2, "often": 9, "also once": 1}
    failed = (pending(name, Status.FAILED, attempt) for name, attempt in attempts.items())
    assert grouped(*failed) == [["once.csv", "also once.csv"], ["twice.csv"], ["often.csv"]]
    assert grouped() == []


@pytest.mark.parametrize(
    ("prefix", "treatment", "needs_staging"),
    [
        ("incoming", Treatment.NORMAL, True),
        ("incoming", Treatment.ACCEPT_BAD_ROWS, True),
        ("incoming", Treatment.RETRACT, False),
        ("reference/songs", Treatment.NORMAL, False),
    ],
)
def test_sources_to_retract_and_reference_data_are_listed_but_not_staged(prefix, treatment, needs_staging):
    source = pending("a", Status.ARCHIVED, treatment=treatment, prefix=prefix)
    assert source.needs_staging is needs_staging
    assert source.manifest_source.treatment == treatment


@pytest.mark.parametrize(("is_gzip", "suffix"), [(False, ".csv"), (True, ".csv.gz")])
def test_the_suffix_of_the_staged_input_says_whether_it_is_gzip(is_gzip, suffix):
    entry = pending("a.csv.gz.csv", Status.RECEIVED).entry
    listed = PendingSource(entry, validation=Validation(None, header=["user_id"], is_gzip=is_gzip)).manifest_source
    assert listed.input == entry.source.source_id + suffix
    assert listed.header == ["user_id"]


@pytest.mark.parametrize(
    ("status", "execution"), [(Status.FAILED, "batch-2"), (Status.ARCHIVED, ""), (Status.QUARANTINED, "")]
)
def test_a_new_attempt_names_the_execution_that_failed(status, execution):
    assert pending("a", status, 2).failed_execution == execution
