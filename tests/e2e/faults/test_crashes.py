"""Jobs are killed at every critical point. An execution retries a job once, so every second kill fails it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.conftest import awaited
from tests.e2e.faults import kill_points
from tests.e2e.faults.kill_points import KillPoint, kill_at
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS
from tests.e2e.faults.victims import LOAD, Victims, kill, suspended
from tests.e2e.faults.world import CATALOGUE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 2_000
JOB_RUNS_PER_EXECUTION = 2  # job runs before the execution fails

# The points at which the job runs of a file are killed, in order: after every second kill the file must be redriven.
KILL_POINTS_BY_SCENARIO = {
    "before its commits, then between them": [kill_points.spark_starts, kill_points.rejected_rows_committed],
    "during a commit, then after it": [kill_points.listens_written, kill_points.listens_committed],
    "with its metrics written": [kill_points.metrics_written],
}
REPLAY_KILL_POINTS = [kill_points.listens_committed, kill_points.older_copies_deleted]


def make_file(seed: int, day: date) -> bytes:
    return sample_data.streams(seed, CATALOGUE, day, ROWS, dirty=0.05, duplicates=0.02, unknown=0.02)


def kill_job_runs(world: World, victims: Victims, put: Journey, points: Sequence[KillPoint]) -> list[str]:
    """Kill one job run after another, and redrive the file when it fails.

    Returns the name of the execution of each killed job run; names repeat.
    """
    attempt, executions, killed = world.entry(put).attempt, [], set[int]()
    for number, point in enumerate(points, start=1):
        world.wait_for_status(put, Status.RUNNING, attempt=attempt)
        executions.append(world.execution_of(put))
        killed.add(kill_at(point, world.lake, victims, executions[-1], frozenset(killed)))
        if number % JOB_RUNS_PER_EXECUTION == 0:
            entry = world.wait_for_status(put, Status.FAILED, attempt=attempt)
            assert world.is_at_landing_key(entry) or world.kept(entry)
            world.redrive(put)
            attempt += 1
    return executions


@pytest.fixture(scope="module")
def broken(world, victims) -> dict[str, tuple[Journey, list[str]]]:
    """Return, by scenario, the uploaded file and the names of its executions."""

    def break_first_attempt(number: int, scenario: str) -> tuple[Journey, list[str]]:
        put = world.put_alone(f"crashes/{number}.csv", make_file(number, days[scenario]))
        executions = kill_job_runs(world, victims, put, KILL_POINTS_BY_SCENARIO[scenario])
        world.wait_for_status(put, Status.ARCHIVED)
        return put, executions

    days = {scenario: world.new_day() for scenario in KILL_POINTS_BY_SCENARIO}
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(days, pool.map(break_first_attempt, range(len(days)), days), strict=True))


def test_killed_runs_change_no_metric(world, broken):
    world.check()
    world.check_archived(*(put for put, _ in broken.values()))


def test_retried_run_does_not_repeat_the_commits_of_the_killed_one(world, broken):
    for _, executions in broken.values():
        for execution in executions:
            assert world.lake.appends(REJECTED_ROWS, execution) <= 1
            assert world.lake.appends(LISTENS, execution) <= 1


def test_replay_that_is_killed_repeatedly_counts_no_row_twice(world, victims, broken):
    put, _ = broken["with its metrics written"]
    world.ask(put, Action.REPLAY)
    world.wait_for_status(put, Status.RUNNING, attempt=2)
    kill_job_runs(world, victims, put, REPLAY_KILL_POINTS)
    world.wait_for_status(put, Status.ARCHIVED, attempt=3)
    world.check()
    world.check_archived(put)


def test_retraction_that_is_killed_after_its_deletion_still_updates_the_metrics(world, victims):
    day = world.new_day()
    put = world.put_alone("crashes/retracted.csv", make_file(8, day))
    world.wait_for_status(put, Status.ARCHIVED)
    assert world.of_day(day)
    world.ask(put, Action.RETRACT)
    world.wait_for_status(put, Status.RUNNING, attempt=2)
    kill_job_runs(world, victims, put, [kill_points.older_copies_deleted, kill_points.spark_starts])
    world.wait_for_status(put, Status.RETRACTED, attempt=3)
    del world.streams[put.source_id]
    assert not world.of_day(day)
    world.check()


def test_load_job_that_is_killed_halfway_leaves_no_stale_item(world, victims):
    day, killed, written_until = world.new_day(), set[int](), ""
    put = world.put_alone("crashes/half loaded.csv", make_file(9, day))
    execution = world.execution_of(put)
    for _ in range(JOB_RUNS_PER_EXECUTION):
        load_job = victims.run(LOAD, execution, frozenset(killed))
        awaited(partial(world.has_items_since, day, written_until), 300, every=0.02)
        with suspended(load_job):
            written = [item for item in world.of_day(day).values() if item["updated_at"] > written_until]
            assert kill(load_job)
        assert 0 < len(written) < len(world.expected_of(day)) / 2
        killed.add(load_job.pid)
        written_until = max(item["updated_at"] for item in written)
    world.wait_for_status(put, Status.FAILED)
    world.redrive(put)
    world.wait_for_status(put, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(put)
