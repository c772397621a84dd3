"""`music-streams maintain`: the lake's maintenance now, instead of at its next time."""

from music_streams.stack import find_stack
from music_streams_cli.maintenance import Maintenance
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command


@command(
    "maintain",
    "Tidy the lake up, beside what runs.",
    "music-streams maintain",
    "music-streams maintain --no-wait",
    "music-streams maintain --json",
)
@operating(without=("dry_run",))
def maintain(how: How) -> None:
    """Tidy the lake up now: it is done by itself at the times of MaintenanceSchedule, on AWS.

    Text of rejected rows leaves after RejectedRowsDays, small files become large ones, states older than 3 days
    and files that belong to nothing go. Files that arrive meanwhile are taken as ever; no metric changes.

    Exit code: 0 done; 1 the run failed; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    carry_out(Maintenance(find_stack(how.stack_name)), how)
