"""Points of a job run of the transform at which a test kills it, as observed from outside.

Each is created with the process of the job run when that starts, and then returns whether the point is reached.
"""

from collections.abc import Callable

import psutil

from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS, Lake
from tests.e2e.faults.victims import TRANSFORM, Victims, kill, tree

IsReached = Callable[[], bool]
KillPoint = Callable[[Lake, str, psutil.Process], IsReached]  # of an execution, by its name


def spark_starts(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: any(each.name() == "java" for each in tree(process))


def rejected_rows_committed(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: lake.appends(REJECTED_ROWS, execution) > 0


def listens_written(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    """The data files are in the lake's bucket, but not committed yet."""
    before = lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")
    return lambda: len(lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")) > len(before)


def listens_committed(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    return lambda: lake.appends(LISTENS, execution) > 0


def older_copies_deleted(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    before = lake.deletions(LISTENS)
    return lambda: lake.deletions(LISTENS) > before


def metrics_written(lake: Lake, execution: str, process: psutil.Process) -> IsReached:
    """The items are in the run's folder, but the execution has not written its summary yet."""
    folder = f"runs/{execution.rpartition('-')[0]}/metrics/"
    before = lake.files(folder)
    return lambda: any(key.endswith("_SUCCESS") for key in set(lake.files(folder)).difference(before))


def kill_at(point: KillPoint, lake: Lake, victims: Victims, execution: str, excluding: frozenset[int]) -> int:
    """Kill the next transform job run of an execution with SIGKILL at a point, and return its process id."""
    process = victims.run(TRANSFORM, execution, excluding)
    is_reached = point(lake, execution, process)

    def may_kill() -> bool:
        assert process.is_running(), f"{execution} ended before {point.__name__}"
        return is_reached()

    awaited(may_kill, 300, every=0.02)
    assert kill(process)
    return process.pid
