"""Points in a transform run at which a test kills it, detected from outside.

Each is created with the process of the run when it starts, and returns whether the point has been reached.
"""

from collections.abc import Callable

import psutil

from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS, Lake
from tests.e2e.faults.victims import TRANSFORM, Victims, kill, tree

IsReached = Callable[[], bool]
Moment = Callable[[Lake, str, psutil.Process], IsReached]  # of an execution, by its name


def spark_starts(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: any(member.name() == "java" for member in tree(process))


def rejected_rows_committed(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: lake.appends(REJECTED_ROWS, execution) > 0


def listens_written(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    """The rows are in the lake bucket, and not committed."""
    before = lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")
    return lambda: len(lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")) > len(before)


def listens_committed(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: lake.appends(LISTENS, execution) > 0


def older_copies_deleted(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    before = lake.deletions(LISTENS)
    return lambda: lake.deletions(LISTENS) > before


def metrics_written(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    """The items are in the run's folder, and the execution has no summary yet."""
    folder = f"runs/{execution.rpartition('-')[0]}/metrics/"
    before = lake.files(folder)
    return lambda: any(key.endswith("_SUCCESS") for key in set(lake.files(folder)).difference(before))


def kill_at(moment: Moment, lake: Lake, victims: Victims, execution: str, but: frozenset[int]) -> int:
    """Kill the next run of an execution with SIGKILL at that point; return its process id."""
    process = victims.run(TRANSFORM, execution, but)
    is_reached = moment(lake, execution, process)

    def must_be_killed() -> bool:
        assert process.is_running(), f"{execution} ended before {moment.__name__}"
        return is_reached()

    awaited(must_be_killed, 300, every=0.02)
    assert kill(process)
    return process.pid
