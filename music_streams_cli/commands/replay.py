"""`music-streams replay`: archived files run again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from boto3.dynamodb.conditions import Attr

from music_streams.operate.next_steps import parked_rows
from music_streams.reconcile import stalled
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import options, search
from music_streams_cli.errors import BadUsage
from music_streams_cli.moves import Moves, Skipped, another_attempt, with_objects
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command


@command(
    "replay",
    "Run archived files again: new songs, new code.",
    "music-streams put songs.csv --reference songs && music-streams replay",
    "music-streams replay streams_2024-06-25.csv",
    "music-streams replay --day 2024-06-25 --dry-run",
)
@operating()
def replay(
    how: How,
    sources: options.SomeSources = None,
    day: Annotated[datetime | None, options.day("--day", "All archived files with listens of this UTC day.")] = None,
) -> None:
    """Run archived files again, with the songs and users that are there now.

    Without SOURCE and --day: every file with parked rows, whose tracks no songs file knew when it ran.

    New rows are committed before the old ones leave, and an event counts once, so numbers do not dip on the way.

    Exit code: 0 all ran, or there is nothing to run; 1 some failed, were quarantined or cannot run; 2 wrong usage;
    3 no pipeline; 4 time-out.
    """
    if sources and day:
        raise BadUsage("SOURCE and --day exclude each other: the files, or all of a day")
    stack = find_stack(how.stack_name)
    if sources:
        why, entries = "asked for", search.choose(stack, sources, can_run_again)
    elif day:
        has_day = Attr("days").contains(day.date().isoformat())
        why = f"listens of {day.date()}"
        entries = list(stack.ledger.with_status(Status.ARCHIVED, condition=has_day))
    else:
        why, entries = "unknown tracks", list(stalled.parked(stack.ledger))
    carry_out(replays(stack, "replay", entries, why, nothing="there is no such file to run again"), how)


def replays(stack: Stack, name: str, entries: Sequence[Entry], why: str, nothing: str) -> Moves:
    """The operation that runs archived files again."""
    fit, left = with_objects(stack, [entry for entry in entries if can_run_again(entry)])
    left = [_left(entry) for entry in entries if not can_run_again(entry)] + left
    moves = [another_attempt(entry, Action.REPLAY, why, _parked(entry)) for entry in fit]
    before = sum(map(parked_rows, fit))
    notes = [f"parked rows: {before:,}"] if before else []

    def closing(ended: list[Entry]) -> list[str]:
        still = sum(map(parked_rows, ended))
        words = [f"parked rows: {before:,} before, {still:,} now"] if before or still else []
        return [*words, *(["what is parked still waits for its songs: music-streams put"] if still else [])]

    return Moves(name, stack, moves, left, nothing, notes, closing)


def can_run_again(entry: Entry) -> bool:
    """Whether it is an archived streams file that is not being retracted."""
    return entry.status is Status.ARCHIVED and not entry.is_retracted and not entry.source.kind.is_reference


def _parked(entry: Entry) -> str:
    return f"{parked_rows(entry):,} parked" if parked_rows(entry) else ""


def _left(entry: Entry) -> Skipped:
    if entry.source.kind.is_reference:
        return Skipped(entry.source, "reference data: every run reads them anew")
    if entry.is_retracted:
        return Skipped(entry.source, "retracted; to count it again, put it again", is_trouble=True)
    return Skipped(entry.source, f"it is {entry.status}; only what is ARCHIVED can run again", is_trouble=True)
