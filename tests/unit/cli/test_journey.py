"""Following files, with a scripted ledger."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from music_streams.state.ledger import Entry, Ledger
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from music_streams_cli import journey
from music_streams_cli.errors import TimedOut
from music_streams_cli.journey import Journey
from music_streams_cli.output import Screen

PUT_AT = datetime(2024, 6, 25, 12, tzinfo=UTC)
SOURCE = Source("landing", "incoming/a.csv", "v1", 10, "2024-06-25T12:00:00.000Z")
RECEIVED = Entry(SOURCE, Status.RECEIVED, "2024-06-25T12:00:02.000Z", 1)


class ScriptedLedger(Ledger):
    """Returns one entry after the other, then always the last."""

    def __init__(self, *script: Entry | None) -> None:
        self._script = list(script)

    def entries(self, source_ids):
        entry = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return {source_id: entry for source_id in source_ids if entry}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(journey, "_POLL_SECONDS", 0)


def follow(ledger: Ledger, journeys: list[Journey], **options) -> str:
    shown = io.StringIO()
    journey.follow(ledger, journeys, Screen(file=shown, width=200), options.pop("timeout", 60), **options)
    return shown.getvalue()


def a_file() -> Journey:
    return Journey(SOURCE.source_id, "a.csv", PUT_AT)


def test_off_a_terminal_each_change_is_a_line():
    quarantined = replace(
        RECEIVED, status=Status.QUARANTINED, reason="empty_file", updated_at="2024-06-25T12:00:03.500Z"
    )
    lines = follow(ScriptedLedger(None, RECEIVED, RECEIVED, quarantined), [a_file()]).splitlines()
    assert lines == ["   2.0 s  a.csv  RECEIVED", "   3.5 s  a.csv  QUARANTINED empty_file"]


def test_following_ends_when_the_goal_is_reached():
    published = replace(RECEIVED, status=Status.PUBLISHED)
    file = a_file()
    follow(ScriptedLedger(published), [file], goal=journey.SETTLED)
    assert file.shown_status == Status.PUBLISHED
    with pytest.raises(TimedOut):
        follow(ScriptedLedger(published), [a_file()], timeout=0, goal=journey.ENDED)


def test_a_timeout_names_the_files_and_says_that_nothing_is_lost():
    with pytest.raises(TimedOut, match="timeout: 1 file not finished after 0 s; the pipeline continues") as raised:
        follow(ScriptedLedger(None), [a_file()], timeout=0)
    assert raised.value.details == ["a.csv: LANDED"]
    assert raised.value.exit_code == 4


def test_many_files_are_shown_as_counts_instead_of_lines(monkeypatch):
    monkeypatch.setattr("music_streams_cli.output.PROGRESS_SECONDS", 0)
    archived = replace(RECEIVED, status=Status.ARCHIVED)
    files = [Journey(f"{n:032x}", f"{n}.csv", PUT_AT) for n in range(50)]
    assert follow(ScriptedLedger(archived), files).split("s  ")[1] == "50 files: 50 ARCHIVED\n"


ARCHIVED = replace(RECEIVED, status=Status.ARCHIVED, updated_at="2024-06-25T12:00:03.500Z")
AGAIN = replace(ARCHIVED, attempt=2, updated_at="2024-06-25T12:00:05.000Z")


def requested_again() -> Journey:
    return Journey(SOURCE.source_id, "a.csv", PUT_AT, ARCHIVED, attempt=2)


def test_the_end_of_an_earlier_attempt_does_not_count():
    lines = follow(
        ScriptedLedger(ARCHIVED, replace(AGAIN, status=Status.VALID), AGAIN), [requested_again()]
    ).splitlines()
    assert lines == ["   5.0 s  a.csv  VALID", "   5.0 s  a.csv  ARCHIVED"]


def test_a_retract_ends_when_the_status_is_retracted():
    archived = replace(AGAIN, treatment=Treatment.RETRACT)
    file = requested_again()
    follow(ScriptedLedger(archived, replace(archived, status=Status.RETRACTED)), [file])
    assert file.shown_status == Status.RETRACTED


def test_a_timeout_says_that_the_requested_attempt_has_not_begun():
    with pytest.raises(TimedOut) as raised:
        follow(ScriptedLedger(ARCHIVED), [requested_again()], timeout=0)
    assert raised.value.details == [
        "a.csv: still ARCHIVED: its request is still queued, or validate ignored it: see its log"
    ]


def test_control_codes_in_names_do_not_reach_the_terminal():
    odd = Journey(SOURCE.source_id, "[red]\x1b[31mx.csv", PUT_AT)
    shown = follow(ScriptedLedger(replace(RECEIVED, status=Status.FAILED)), [odd])
    assert "[red]�[31mx.csv  FAILED" in shown
