"""The day in one sentence."""

import pytest

from music_streams.state.statuses import Status
from music_streams_cli.report.verdict import day_verdict
from tests.unit.report.days import file

GOOD = [file("a.csv"), file("b.csv", Status.PUBLISHED)]


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_a_file_on_its_way_makes_it_working(status):
    assert (
        day_verdict([*GOOD, file("r.csv", status)]).sentence == "WORKING: 1 file on the way (r.csv), 2 files published."
    )


NO_TROUBLE = [file("q.csv", Status.QUARANTINED, is_mended=True), file("r.csv", Status.RETRACTED)]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (GOOD, "2 files published."),
        ([*GOOD, *NO_TROUBLE], "2 files published, 1 file put aside, but mended since, 1 file retracted."),
        ([], "the ledger knows no file of this day."),
    ],
)
def test_what_was_mended_or_retracted_or_never_came_needs_no_attention(files, sentence):
    assert day_verdict(files).sentence == f"OK: {sentence}"
