"""`music-streams forget`: erase a user's events from lake, metrics and kept files."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from music_streams import clock, display
from music_streams.forget.file_eraser import should_search
from music_streams.forget.progress import read_erased
from music_streams.forget.user_lines import GREATEST_USER_ID
from music_streams.operate import files
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.requests import Forget
from music_streams.state.run_files import RunFolder, Summary
from music_streams.state.statuses import FINISHED, UNFINISHED, Status
from music_streams_cli import options
from music_streams_cli.errors import BadUsage
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command
from music_streams_cli.runs import Runs

_SHOWN = 20  # files


@command(
    "forget",
    "Erase a user's events everywhere.",
    "music-streams forget 4711 --dry-run",
    "music-streams forget 4711",
    "music-streams forget 4711 --yes",
)
@with_common_options()
def forget(common: CommonOptions, user: Annotated[str, options.argument("USER", "The user_id.")]) -> None:
    """Erase a user's events from the lake and from the kept files, and recompute their days.

    This cannot be undone. On a terminal you have to type the user_id; without one, --yes is required.

    Not erased: files in flight or FAILED (run it again when they have finished), files that arrive later, reference
    data, and backups.

    Exit code: 0 done; 1 the run failed, or was not confirmed; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    user_id = _user_id(user)
    stack = find_stack(common.stack_name)
    kept = sum(should_search(entry) for entry in _with(stack, *FINISHED))
    in_flight = sum(not entry.source.kind.is_reference for entry in _with(stack, *UNFINISHED))
    in_flight += sum(not source.kind.is_reference for source in files.landed(stack))
    carry_out(
        Runs(
            "forget",
            stack,
            [Forget(user_id, clock.now())],
            f"user {user_id}",
            _plan(user_id, kept, in_flight),
            {"user_id": user_id, "kept_files": kept, "files_on_their_way": in_flight},
            lambda summaries: _closing(stack, summaries),
            lambda summaries: {"deleted": _deleted(stack, summaries)},
            is_destructive=True,
            typed=str(user_id),
        ),
        common,
    )


def _user_id(text: str) -> int:
    if not re.fullmatch("[0-9]{1,19}", text) or not 1 <= int(text) <= GREATEST_USER_ID:
        raise BadUsage(f"{text} is not a user_id", details=[f"a user_id is an integer from 1 to {GREATEST_USER_ID}"])
    return int(text)


def _with(stack: Stack, *statuses: Status) -> Iterator[Entry]:
    return chain.from_iterable(map(stack.ledger.with_status, statuses))


def _deleted(stack: Stack, summaries: list[Summary]) -> list[dict[str, str]]:
    """Return the entire files that the runs deleted."""
    by_run = [read_erased(stack.s3, RunFolder(stack.lake_bucket, summary.batch_id)).deleted for summary in summaries]
    return [
        {"source_id": source_id, "object": file.object, "why": file.why}
        for deleted in by_run
        for source_id, file in sorted(deleted.items())
    ]


def _closing(stack: Stack, summaries: list[Summary]) -> list[str]:
    deleted = _deleted(stack, summaries)
    holders = sum(len(summary.forgotten) for summary in summaries)
    lines = [f"files with rows of the user in the lake: {holders:,}"]
    if deleted:
        lines += [
            "",
            f"{display.plural(len(deleted), 'entire file')} deleted, because the user's lines could not be removed:",
        ]
        lines += [f"  {file['object']}: {file['why']}" for file in deleted[:_SHOWN]]
    if len(deleted) > _SHOWN:
        lines += [f"  and {len(deleted) - _SHOWN:,} more: --json lists all"]
    return lines


def _plan(user_id: int, kept: int, in_flight: int) -> list[str]:
    again = f"; run it again when they have finished: music-streams forget {user_id}" if in_flight else ""
    return [
        "erased, without keeping a copy:",
        "  the user's events in the lake and its earlier snapshots; days with such events are recomputed",
        f"  the user's lines in {display.plural(kept, 'file')} in archive and quarantine, if they contain any;",
        "  the entire file, if the lines cannot be found or removed: damaged gzip, too large, unreadable",
        "  the user's lines in staged copies of files",
        "not erased:",
        f"  files in flight or failed: {display.plural(in_flight, 'file')}{again}",
        "  files that arrive later: inform their producer",
        "  reference data: edit the files under reference/users/, delete their versions and copies in archive/",
        "  backups, such as DynamoDB's point-in-time recovery: their metrics still count the user",
    ]
