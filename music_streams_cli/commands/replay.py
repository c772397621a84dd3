"""`music-streams replay`: run archived files again."""

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
from music_streams_cli.file_operations import FileOperation, Skipped, new_attempt_request, with_objects
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command


@command(
    "replay",
    "Run archived files again, with new songs or code.",
    "music-streams put songs.csv --reference songs && music-streams replay",
    "music-streams replay streams_2024-06-25.csv",
    "music-streams replay --day 2024-06-25 --dry-run",
)
@with_common_options()
def replay(
    common: CommonOptions,
    sources: options.SomeSources = None,
    day: Annotated[datetime | None, options.day("--day", "All archived files with listens of this UTC day.")] = None,
) -> None:
    """Run archived files again, with the current code, songs and users.

    Without SOURCE and --day: every file with parked rows, whose tracks were in no songs file when it ran.

    New rows are committed before the old ones are deleted, so metrics are complete at any time.

    Exit code: 0 all ran, or there is nothing to run; 1 some failed, were quarantined or cannot run; 2 wrong usage;
    3 no pipeline; 4 timeout.
    """
    if sources and day:
        raise BadUsage("SOURCE and --day exclude each other")
    stack = find_stack(common.stack_name)
    if sources:
        why, entries = "requested", search.choose(stack, sources, can_run_again)
    elif day:
        has_day = Attr("days").contains(day.date().isoformat())
        why = f"listens of {day.date()}"
        entries = list(stack.ledger.with_status(Status.ARCHIVED, condition=has_day))
    else:
        why, entries = "unknown tracks", list(stalled.parked(stack.ledger))
    carry_out(replays(stack, "replay", entries, why, nothing="there is no file to run again"), common)


def replays(stack: Stack, name: str, entries: Sequence[Entry], why: str, nothing: str) -> FileOperation:
    """Return the operation that runs archived files again."""
    fit, skipped = with_objects(stack, [entry for entry in entries if can_run_again(entry)])
    skipped = [_skipped(entry) for entry in entries if not can_run_again(entry)] + skipped
    requests = [new_attempt_request(entry, Action.REPLAY, why, _parked(entry)) for entry in fit]
    before = sum(map(parked_rows, fit))
    notes = [f"parked rows: {before:,}"] if before else []

    def closing(ended: list[Entry]) -> list[str]:
        still = sum(map(parked_rows, ended))
        lines = [f"parked rows: {before:,} before, {still:,} now"] if before or still else []
        return [
            *lines,
            *(
                ["rows stay parked until their songs are uploaded: music-streams put SONGS.csv --reference songs"]
                if still
                else []
            ),
        ]

    return FileOperation(name, stack, requests, skipped, nothing, notes, closing)


def can_run_again(entry: Entry) -> bool:
    """Return whether it is an archived streams file that is not being retracted."""
    return entry.status is Status.ARCHIVED and not entry.is_retracted and not entry.source.kind.is_reference


def _parked(entry: Entry) -> str:
    return f"{parked_rows(entry):,} parked" if parked_rows(entry) else ""


def _skipped(entry: Entry) -> Skipped:
    if entry.source.kind.is_reference:
        return Skipped(entry.source, "reference data: every run reads them again")
    if entry.is_retracted:
        return Skipped(entry.source, "retracted; to publish it again, upload it again", is_problem=True)
    return Skipped(entry.source, f"it is {entry.status}; only ARCHIVED files can run again", is_problem=True)
