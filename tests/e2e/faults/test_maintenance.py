"""Lake maintenance while files arrive, are replayed and retracted."""

from datetime import datetime
from typing import Any

import pytest

from music_streams.maintain import report
from music_streams.maintain.report import TableReport
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS
from tests.e2e.faults.world import CATALOGUE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENOUGH = 5  # small files of a day, which are merged


def start(world: World) -> str:
    job = world.stack.outputs["MaintainJobName"]
    return str(world.stack.client("glue").start_job_run(JobName=job)["JobRunId"])


def job_run(world: World, run_id: str) -> dict[str, Any]:
    job = world.stack.outputs["MaintainJobName"]
    return world.stack.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"]


def ended(world: World, run_id: str) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        run = job_run(world, run_id)
        return run if run["JobRunState"] not in {"STARTING", "RUNNING"} else None

    return awaited(find, 900)


def maintained(world: World) -> dict[str, TableReport]:
    """Maintain the lake; return the report of each table."""
    run_id = start(world)
    assert ended(world, run_id)["JobRunState"] == "SUCCEEDED"
    return {table.table: table for table in report.read(world.stack.s3, world.stack.lake_bucket, run_id).tables}


def committed(world: World, since: datetime, until: datetime) -> int:
    """Return the number of commits of runs in that time."""
    times = [snap["timestamp-ms"] for snap in world.lake.snapshots(LISTENS) if "execution" in snap["summary"]]
    return sum(since.timestamp() * 1000 < time < until.timestamp() * 1000 for time in times)


def test_files_that_arrive_and_leave_during_maintenance_count_once(world):
    day = world.new_day()
    files = [sample_data.streams(n, CATALOGUE, day, 400, dirty=0.05) for n in range(ENOUGH + 4)]
    early = [world.put_alone(f"maintained/{n}.csv", files.pop()) for n in range(ENOUGH)]
    world.settle(*early)

    first = start(world)
    again, withdrawn, *_ = early
    world.request(again, Action.REPLAY)
    world.request(withdrawn, Action.RETRACT)
    late: list[Journey] = []
    while files and job_run(world, first)["JobRunState"] in {"STARTING", "RUNNING"}:
        late.append(world.put_alone(f"maintained/late/{len(late)}.csv", files.pop()))
    run = ended(world, first)
    assert run["JobRunState"] == "SUCCEEDED", run
    assert committed(world, run["StartedOn"], run["CompletedOn"]) > 0
    world.come_to(again, Status.ARCHIVED, attempt=2)
    world.come_to(withdrawn, Status.RETRACTED, attempt=2)
    world.settle(*late, seconds=900)
    del world.streams[withdrawn.source_id]
    world.check()
    world.check_archived(again, *early[2:], *late)

    done = maintained(world)
    assert {*done} == {LISTENS, REJECTED_ROWS}
    assert all(not table.left for table in done.values())
    world.check()
