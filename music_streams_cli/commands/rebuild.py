"""`music-streams rebuild`: compute metrics again from the lake, or lake and metrics from the archive."""

from datetime import datetime
from typing import Annotated

import typer

from music_streams import clock, display, policy
from music_streams.reconcile import stalled
from music_streams.stack import Stack, find_stack
from music_streams.state.requests import Rebuild
from music_streams.state.statuses import Status
from music_streams_cli import options
from music_streams_cli.commands.replay import can_run_again, replays
from music_streams_cli.errors import BadUsage
from music_streams_cli.file_operations import FileOperation
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command
from music_streams_cli.runs import Runs


@command(
    "rebuild",
    "Rebuild lost metrics, or a lost lake.",
    "music-streams rebuild --dry-run",
    "music-streams rebuild --from 2024-06-01 --to 2024-06-30",
    "music-streams rebuild --from-archive",
)
@with_common_options()
def rebuild(
    common: CommonOptions,
    first: options.From = None,
    last: options.To = None,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="Run every archived file again, to fill a lost lake.")
    ] = False,
) -> None:
    """Compute the metrics of all days with listens, or of the days given, again from the lake.

    With --from-archive, fill a lost lake too: every archived file runs again, except retracted ones.
    Until all have finished, the metrics contain only the files processed so far.

    Exit code: 0 all done; 1 a run or a file failed; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    if from_archive and (first or last):
        raise BadUsage("--from-archive processes all files; it cannot be combined with --from and --to")
    if first and last and first > last:
        raise BadUsage(f"--from {first.date()} is after --to {last.date()}")
    stack = find_stack(common.stack_name)
    carry_out(_of_archive(stack) if from_archive else _of_days(stack, first, last), common)


def _of_days(stack: Stack, first: datetime | None, last: datetime | None) -> Runs:
    begin, end = first.date().isoformat() if first else "", last.date().isoformat() if last else "9999-12-31"
    days = [day for day in stalled.days_known(stack.ledger) if begin <= day <= end]
    most = policy.DAYS_PER_REBUILD
    slices = [days[start : start + most] for start in range(0, len(days), most)]
    at = clock.now()
    amount = display.plural(len(days), "day")
    lines = [
        f"days: {display.days(days)}, in {display.plural(len(slices), 'run')}",
        "they are computed from the current lake; files and lake do not change",
    ]
    return Runs(
        "rebuild",
        stack,
        [Rebuild(part, at) for part in slices],
        amount if days else "",
        lines if days else ["no file has listens of these days"],
        {"days": days, "runs": len(slices)},
    )


def _of_archive(stack: Stack) -> FileOperation:
    entries = list(filter(can_run_again, stack.ledger.with_status(Status.ARCHIVED)))
    plan = replays(stack, "rebuild --from-archive", entries, "archived", nothing="no file is archived")
    plan.notes.append("until all have finished, the metrics contain only the files processed so far")
    return plan
