"""`music-streams rebuild`: metrics made again from the lake, or lake and metrics from the archive."""

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
from music_streams_cli.moves import Moves
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command
from music_streams_cli.runs import Runs


@command(
    "rebuild",
    "Make lost metrics, or a lost lake, again.",
    "music-streams rebuild --dry-run",
    "music-streams rebuild --from 2024-06-01 --to 2024-06-30",
    "music-streams rebuild --from-archive",
)
@operating()
def rebuild(
    how: How,
    first: options.From = None,
    last: options.To = None,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="Run every archived file again, for a lake that was lost.")
    ] = False,
) -> None:
    """Compute the metrics of days anew from the lake: of all days that files had listens of, or of some.

    With --from-archive the lake is made again too: every archived file runs again, but those that were retracted.
    Until it ends, numbers are those of the files taken in so far.

    Exit code: 0 all done; 1 a run or a file failed; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    if from_archive and (first or last):
        raise BadUsage("--from-archive takes all files; --from and --to are of days in the lake")
    if first and last and first > last:
        raise BadUsage(f"--from {first.date()} is after --to {last.date()}")
    stack = find_stack(how.stack_name)
    carry_out(_of_archive(stack) if from_archive else _of_days(stack, first, last), how)


def _of_days(stack: Stack, first: datetime | None, last: datetime | None) -> Runs:
    begin, end = first.date().isoformat() if first else "", last.date().isoformat() if last else "9999-12-31"
    days = [day for day in stalled.days_known(stack.ledger) if begin <= day <= end]
    most = policy.DAYS_PER_REBUILD
    slices = [days[start : start + most] for start in range(0, len(days), most)]
    at = clock.now()
    amount = display.plural(len(days), "day")
    words = [
        f"days: {display.days(days)}, in {display.plural(len(slices), 'run')}",
        "they are computed from the lake as it is then; files and lake stay as they are",
    ]
    return Runs(
        "rebuild",
        stack,
        [Rebuild(part, at) for part in slices],
        amount if days else "",
        words if days else ["no file had listens of such a day"],
        {"days": days, "runs": len(slices)},
    )


def _of_archive(stack: Stack) -> Moves:
    entries = list(filter(can_run_again, stack.ledger.with_status(Status.ARCHIVED)))
    plan = replays(stack, "rebuild --from-archive", entries, "archived", nothing="no file is archived")
    plan.notes.append("until all have ended, numbers are those of the files taken in so far")
    return plan
