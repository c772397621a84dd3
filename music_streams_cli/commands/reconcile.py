"""`music-streams reconcile`: whether everything that arrived was published, and the metrics are what the lake says."""

from datetime import datetime
from typing import Annotated

from music_streams import policy
from music_streams.reconcile.findings import Window
from music_streams.stack import find_stack
from music_streams_cli import options, output
from music_streams_cli.errors import BadUsage
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command

_MOST = options.of_stack(policy.MAX_REPAIRS, "MaxRepairs")


@command(
    "reconcile",
    "Prove that nothing is missing, and repair what is.",
    "music-streams reconcile --dry-run",
    "music-streams reconcile --from 2024-06-01 --to 2024-06-30",
    "music-streams reconcile --prefix incoming/radio/ --yes",
)
@operating()
def reconcile(
    how: How,
    first: options.From = None,
    last: options.To = None,
    prefix: Annotated[str, options.unset("PREFIX", "Only files whose key begins so.")] = "",
    most: Annotated[
        int | None, options.unset("N", "Repairs to ask for at most.", "--max", min=0, show_default=_MOST)
    ] = None,
    grace: Annotated[
        float | None,
        options.unset("SECONDS", "What moved less than that ago is on its way.", min=0, show_default=options.STALL),
    ] = None,
) -> None:
    """Hold the buckets, the ledger, the executions, the lake and the metrics against each other, and repair gaps.

    Looks at the files that arrived today and yesterday, or on the dates given, and at all that are not at their end.
    Compared are the metrics of the days of which these files have had listens.

    Exit code: 0 no gap is left; 1 some are; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    # It brings what reads the lake, which the other commands need not wait for.
    from music_streams.reconcile.reconciler import Reconciler, window_of  # noqa: PLC0415
    from music_streams_cli.reconciliation import Reconciliation  # noqa: PLC0415

    dates = _window(first, last, prefix)
    stack = find_stack(how.stack_name)
    reconciler = Reconciler(stack, grace_seconds=grace)
    output.show(output.stderr(quiet=how.quiet), "looking …")
    inspection = reconciler.inspect(dates or window_of(None, prefix))
    carry_out(Reconciliation(stack, reconciler, inspection, reconciler.plan(inspection.findings, most)), how)


def _window(first: datetime | None, last: datetime | None, prefix: str) -> Window | None:
    if not (first or last):
        return None
    if not (first and last):
        raise BadUsage("--from and --to go together")
    if first > last:
        raise BadUsage(f"--from {first.date()} is after --to {last.date()}")
    return Window(first.date().isoformat(), last.date().isoformat(), prefix)
