"""Moments in the life of a transform run at which a test strikes, as they show from outside.

Each is made with the run's process when that begins, and answers from then on whether it has come.
"""

from collections.abc import Callable

import psutil

from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS, Lake
from tests.e2e.faults.victims import TRANSFORM, Victims, kill, tree

HasCome = Callable[[], bool]
Moment = Callable[[Lake, str, psutil.Process], HasCome]  # of an execution, by its name


def spark_starts(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    return lambda: any(each.name() == "java" for each in tree(process))


def rejected_rows_committed(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    return lambda: lake.appends(REJECTED_ROWS, execution) > 0


def listens_written(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    """The rows lie in the lake's bucket, and no commit speaks of them."""
    before = lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")
    return lambda: len(lake.files(f"warehouse/music_streams.db/{LISTENS}/data/")) > len(before)


def listens_committed(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    return lambda: lake.appends(LISTENS, execution) > 0


def older_copies_deleted(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    before = lake.deletions(LISTENS)
    return lambda: lake.deletions(LISTENS) > before


def metrics_written(lake: Lake, execution: str, process: psutil.Process) -> HasCome:
    """The items lie in the run's folder, and no summary of this execution speaks of them."""
    folder = f"runs/{execution.rpartition('-')[0]}/metrics/"
    before = lake.files(folder)
    return lambda: any(key.endswith("_SUCCESS") for key in set(lake.files(folder)).difference(before))


def kill_at(moment: Moment, lake: Lake, victims: Victims, execution: str, but: frozenset[int]) -> int:
    """kill -9 for the next run of an execution, at that moment; gives the process id."""
    process = victims.run(TRANSFORM, execution, but)
    has_come = moment(lake, execution, process)

    def may_strike() -> bool:
        assert process.is_running(), f"{execution} ended before {moment.__name__}"
        return has_come()

    awaited(may_strike, 300, every=0.02)
    assert kill(process)
    return process.pid
