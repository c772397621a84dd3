"""`music-streams maintain`: run the lake maintenance now."""

from music_streams.stack import find_stack
from music_streams_cli.maintenance import Maintenance
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command


@command(
    "maintain",
    "Run the lake maintenance now.",
    "music-streams maintain",
    "music-streams maintain --no-wait",
    "music-streams maintain --json",
)
@with_common_options(without=("dry_run",))
def maintain(common: CommonOptions) -> None:
    """Run the lake maintenance now. On AWS it also runs on the schedule MaintenanceSchedule.

    It deletes rejected rows after RejectedRowsDays (0: never), merges small files, and deletes snapshots older than 3
    days and stray files. It delays no run and changes no metric.

    Exit code: 0 done; 1 the run failed; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    carry_out(Maintenance(find_stack(common.stack_name)), common)
