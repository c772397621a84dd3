"""The lake is maintained while files arrive, are replayed and are retracted."""

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

ENOUGH = 5  # small files of a day, to be merged


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
    """Maintain the lake, and return the reports by table."""
    run_id = start(world)
    assert ended(world, run_id)["JobRunState"] == "SUCCEEDED"
    return {each.table: each for each in report.read(world.stack.s3, world.stack.lake_bucket, run_id).tables}


def committed(world: World, since: datetime, until: datetime) -> int:
    """Return the number of commits that runs made in that time."""
    timestamps = [each["timestamp-ms"] for each in world.lake.snapshots(LISTENS) if "execution" in each["summary"]]
    return sum(since.timestamp() * 1000 < each < until.timestamp() * 1000 for each in timestamps)


def test_files_that_are_added_replayed_or_retracted_during_maintenance_count_once(world):
    day = world.new_day()
    files = [sample_data.streams(n, CATALOGUE, day, 400, dirty=0.05) for n in range(ENOUGH + 4)]
    early = [world.put_alone(f"maintained/{n}.csv", files.pop()) for n in range(ENOUGH)]
    world.wait_until_ended(*early)

    first = start(world)
    replayed, retracted, *_ = early
    world.ask(replayed, Action.REPLAY)
    world.ask(retracted, Action.RETRACT)
    late: list[Journey] = []
    while files and job_run(world, first)["JobRunState"] in {"STARTING", "RUNNING"}:
        late.append(world.put_alone(f"maintained/late/{len(late)}.csv", files.pop()))
    run = ended(world, first)
    assert run["JobRunState"] == "SUCCEEDED", run
    assert committed(world, run["StartedOn"], run["CompletedOn"]) > 0
    world.wait_for_status(replayed, Status.ARCHIVED, attempt=2)
    world.wait_for_status(retracted, Status.RETRACTED, attempt=2)
    world.wait_until_ended(*late, seconds=900)
    del world.streams[retracted.source_id]
    world.check()
    world.check_archived(replayed, *early[2:], *late)

    reports = maintained(world)
    assert {*reports} == {LISTENS, REJECTED_ROWS}
    assert all(not each.left for each in reports.values())
    world.check()
