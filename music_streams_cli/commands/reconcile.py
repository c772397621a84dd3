"""`music-streams reconcile`: find and repair missing files and wrong metrics."""

from datetime import datetime
from typing import Annotated

from music_streams import policy
from music_streams.reconcile.findings import Window
from music_streams.stack import find_stack
from music_streams_cli import options, output
from music_streams_cli.errors import BadUsage
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command

_MOST = options.of_stack(policy.MAX_REPAIRS, "MaxRepairs")


@command(
    "reconcile",
    "Find and repair discrepancies: missing files, wrong metrics.",
    "music-streams reconcile --dry-run",
    "music-streams reconcile --from 2024-06-01 --to 2024-06-30",
    "music-streams reconcile --prefix incoming/radio/ --yes",
)
@with_common_options()
def reconcile(
    common: CommonOptions,
    first: options.FirstArrival = None,
    last: options.LastArrival = None,
    prefix: Annotated[str, options.unset("PREFIX", "Only files whose key begins with this.")] = "",
    most: Annotated[
        int | None, options.unset("N", "Maximum number of repairs.", "--max", min=0, show_default=_MOST)
    ] = None,
    grace: Annotated[
        float | None,
        options.unset(
            "SECONDS", "Treat files that changed more recently as in flight.", min=0, show_default=options.STALL
        ),
    ] = None,
) -> None:
    """Compare the buckets, the ledger, the executions, the lake and the metrics, and repair discrepancies.

    It inspects the files that arrived today and yesterday, or on the dates given, and all files that are not finished.
    It compares the metrics of the days with listens in these files. If the songs files changed, it finds files of any
    date with parked rows of tracks that they now contain. A gap is a discrepancy.

    Exit code: 0 no gap is left; 1 gaps are left; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    # These import the libraries that read the lake, which would slow down the other commands.
    from music_streams.reconcile.reconciler import Reconciler, window_of  # noqa: PLC0415
    from music_streams_cli.reconciliation import Reconciliation  # noqa: PLC0415

    dates = _window(first, last, prefix)
    stack = find_stack(common.stack_name)
    reconciler = Reconciler(stack, grace_seconds=grace)
    output.show(output.stderr(quiet=common.quiet), "inspecting …")
    inspection = reconciler.inspect(dates or window_of(None, prefix))
    carry_out(Reconciliation(stack, reconciler, inspection, reconciler.plan(inspection.findings, most)), common)


def _window(first: datetime | None, last: datetime | None, prefix: str) -> Window | None:
    if not (first or last):
        return None
    if not (first and last):
        raise BadUsage("--from and --to must be given together")
    if first > last:
        raise BadUsage(f"--from {first.date()} is after --to {last.date()}")
    return Window(first.date().isoformat(), last.date().isoformat(), prefix)
