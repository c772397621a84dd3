"""The verdict on a day, in one sentence."""

import pytest

from music_streams.state.statuses import Status
from music_streams_cli.report.verdict import day_verdict
from tests.unit.report.days import file

GOOD = [file("a.csv"), file("b.csv", Status.PUBLISHED)]


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_a_file_in_flight_makes_the_day_working(status):
    assert (
        day_verdict([*GOOD, file("r.csv", status)]).sentence == "WORKING: 1 file in flight (r.csv), 2 files published."
    )


NO_PROBLEMS = [file("q.csv", Status.QUARANTINED, is_fixed=True), file("r.csv", Status.RETRACTED)]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (GOOD, "2 files published."),
        ([*GOOD, *NO_PROBLEMS], "2 files published, 1 file quarantined or failed, and fixed since, 1 file retracted."),
        ([], "the ledger has no file of this day."),
    ],
)
def test_fixed_retracted_and_missing_files_need_no_attention(files, sentence):
    assert day_verdict(files).sentence == f"OK: {sentence}"
