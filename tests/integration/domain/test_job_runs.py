"""All job runs of an ended execution, and no others, are stopped and waited for."""

from datetime import UTC, datetime, timedelta

import pytest

from music_streams.errors import JobRunsAlive
from tests.integration.domain.world import LOAD_JOB, TRANSFORM_JOB, always, never


@pytest.fixture(autouse=True)
def no_job_runs(world):
    world.glue.runs.clear()
    world.glue.stopping_looks = 0


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR"])
def test_ended_runs_are_not_waited_for(world, state):
    world.glue.start(TRANSFORM_JOB, "batch-1", state)
    world.glue.start(TRANSFORM_JOB, "batch-2")
    world.job_runs.end("batch-1", never)
    assert [run["JobRunState"] for run in world.glue.runs] == ["RUNNING", state]


def test_every_run_of_both_jobs_is_stopped_on_any_page_of_the_list(world):
    mine = []
    for n in range(5):
        world.glue.start(TRANSFORM_JOB, f"other-{n}")
        mine += [world.glue.start(job, "batch-1") for job in (TRANSFORM_JOB, LOAD_JOB)]
    world.job_runs.end("batch-1", always)
    assert {world.glue.state(run_id) for run_id in mine} == {"STOPPED"}
    assert {run["JobRunState"] for run in world.glue.runs if run["Id"] not in mine} == {"RUNNING"}


def test_a_run_that_does_not_end_in_time_is_an_error(world):
    world.glue.stopping_looks = 4
    run_id = world.glue.start(LOAD_JOB, "batch-1")
    with pytest.raises(JobRunsAlive, match=run_id):
        world.job_runs.end("batch-1", never)
    assert world.glue.state(run_id) == "STOPPING"


def test_runs_of_an_execution_with_the_same_prefix_are_not_stopped(world):
    other = world.glue.start(TRANSFORM_JOB, "batch-11")
    world.job_runs.end("batch-1", always)
    assert world.glue.state(other) == "RUNNING"


def test_runs_that_must_have_timed_out_are_not_listed(world):
    now = datetime.now(UTC)
    for hours in (9, 8, 7, 6, 5, 4):
        world.glue.start(TRANSFORM_JOB, "batch-1", "STOPPED", now - timedelta(hours=hours))
    run_id = world.glue.start(TRANSFORM_JOB, "batch-1", started_on=now - timedelta(hours=2))
    with world.crash_at(10**9, is_done=False) as calls:
        world.job_runs.end("batch-1", always)
    assert world.glue.state(run_id) == "STOPPED"
    assert calls.count("glue.GetJobRuns") == 2 * 2, "one page of each job, before and after"
