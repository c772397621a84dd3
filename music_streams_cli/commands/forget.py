"""`music-streams forget`: a user's events leave lake, metrics and kept files."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from music_streams import clock, display
from music_streams.forget.file_clearing import is_kept
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
from music_streams_cli.operation import How, carry_out, operating
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
@operating()
def forget(how: How, user: Annotated[str, options.argument("USER", "The user_id.")]) -> None:
    """Erase a user's events from the lake and from the kept files, and recompute their days.

    There is no way back. On a terminal the user_id is to be typed again; off one it needs --yes.

    What stays: files on their way (run it again when they are through), files that come later, reference data,
    and backups.

    Exit code: 0 done; 1 the run failed, or you said no; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    user_id = _user_id(user)
    stack = find_stack(how.stack_name)
    kept = sum(is_kept(entry) for entry in _with(stack, *FINISHED))
    on_their_way = sum(not entry.source.kind.is_reference for entry in _with(stack, *UNFINISHED))
    on_their_way += sum(not source.kind.is_reference for source in files.landed(stack))
    carry_out(
        Runs(
            "forget",
            stack,
            [Forget(user_id, clock.now())],
            f"user {user_id}",
            _words(user_id, kept, on_their_way),
            {"user_id": user_id, "kept_files": kept, "files_on_their_way": on_their_way},
            lambda summaries: _closing(stack, summaries),
            lambda summaries: {"deleted": _deleted(stack, summaries)},
            is_destructive=True,
            typed=str(user_id),
        ),
        how,
    )


def _user_id(text: str) -> int:
    if not re.fullmatch("[0-9]{1,19}", text) or not 1 <= int(text) <= GREATEST_USER_ID:
        raise BadUsage(f"{text} is no user_id", details=[f"it is a whole number from 1 to {GREATEST_USER_ID}"])
    return int(text)


def _with(stack: Stack, *statuses: Status) -> Iterator[Entry]:
    return chain.from_iterable(map(stack.ledger.with_status, statuses))


def _deleted(stack: Stack, summaries: list[Summary]) -> list[dict[str, str]]:
    """The files that the runs deleted whole, by source_id."""
    found = [read_erased(stack.s3, RunFolder(stack.lake_bucket, summary.batch_id)).deleted for summary in summaries]
    return [
        {"source_id": source_id, "object": each.object, "why": each.why}
        for deleted in found
        for source_id, each in sorted(deleted.items())
    ]


def _closing(stack: Stack, summaries: list[Summary]) -> list[str]:
    deleted = _deleted(stack, summaries)
    holders = sum(len(summary.forgotten) for summary in summaries)
    lines = [f"files that had rows of the user in the lake: {holders:,}"]
    if deleted:
        lines += ["", f"deleted whole, because the user could not be taken out: {display.plural(len(deleted), 'file')}"]
        lines += [f"  {each['object']}: {each['why']}" for each in deleted[:_SHOWN]]
    if len(deleted) > _SHOWN:
        lines += [f"  and {len(deleted) - _SHOWN:,} more: --json lists all"]
    return lines


def _words(user_id: int, kept: int, on_their_way: int) -> list[str]:
    again = f"; run this again when they are through: music-streams forget {user_id}" if on_their_way else ""
    return [
        "erased, with no copy kept:",
        "  the user's events in the lake, its earlier snapshots too; the days that had any are recomputed",
        f"  the user's lines in {display.plural(kept, 'file')} in archive and quarantine, as far as they have any;",
        "  the whole file, where the lines cannot be found or taken out: damaged gzip, too large, unreadable",
        "  the user's lines in copies that were staged for runs",
        "not erased:",
        f"  files on their way or failed: {display.plural(on_their_way, 'file')}{again}",
        "  files that come later: tell their producer",
        "  reference data: see to the files under reference/users/, their versions and their copies in archive/",
        "  backups, such as DynamoDB's point-in-time recovery: the numbers in them still count the user",
    ]
