"""The day in one sentence."""

import pytest

from music_streams.state.statuses import Status
from music_streams_cli.report.verdict import judge
from tests.unit.report.days import file

GOOD = [file("a.csv"), file("b.csv", Status.PUBLISHED)]


def test_a_day_whose_files_are_published_is_ok():
    assert judge(GOOD).sentence == "OK: 2 files published."


def test_the_worst_comes_first_with_an_example():
    found = judge(
        [*GOOD, file("r.csv", Status.RUNNING), file("q.csv", Status.QUARANTINED), file("f.csv", Status.FAILED)]
    )
    assert found.sentence == (
        "ATTENTION: 1 file failed (f.csv), 1 file in quarantine (q.csv), 1 file on the way (r.csv), 2 files published."
    )


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_a_file_on_its_way_makes_it_working(status):
    assert judge([*GOOD, file("r.csv", status)]).sentence == "WORKING: 1 file on the way (r.csv), 2 files published."


def test_a_file_that_was_mended_or_retracted_needs_no_attention():
    files = [*GOOD, file("q.csv", Status.QUARANTINED, is_mended=True), file("r.csv", Status.RETRACTED)]
    assert judge(files).sentence == "OK: 2 files published, 1 file put aside, but mended since, 1 file retracted."


def test_a_day_without_files_says_so():
    assert judge([]).sentence == "OK: the ledger knows no file of this day."
