"""The jobs of a run are killed at every critical point; the state machine starts each job twice."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.conftest import awaited
from tests.e2e.faults import moments
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS
from tests.e2e.faults.moments import Moment, kill_at
from tests.e2e.faults.victims import LOAD, Victims, held, kill
from tests.e2e.faults.world import CATALOGUE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 2_000
TRIES = 2  # job runs that the state machine starts before the execution fails

# Points at which the runs of a file are killed in turn; after every second one the file has failed and is redriven.
FIRST_ATTEMPT_DIES = {
    "before its commits, then between them": [moments.spark_starts, moments.rejected_rows_committed],
    "during a commit, then after it": [moments.listens_written, moments.listens_committed],
    "with its metrics written": [moments.metrics_written],
}
SECOND_ATTEMPT_DIES = [moments.listens_committed, moments.older_copies_deleted]


def file(seed: int, day: date) -> bytes:
    return sample_data.streams(seed, CATALOGUE, day, ROWS, dirty=0.05, duplicates=0.02, unknown=0.02)


def break_runs(world: World, victims: Victims, put: Journey, kill_points: Sequence[Moment]) -> list[str]:
    """Kill one run after the other, and redrive the file if it fails; return the names of the executions."""
    attempt, executions, killed = world.entry(put).attempt, [], set[int]()
    for number, moment in enumerate(kill_points, start=1):
        world.come_to(put, Status.RUNNING, attempt=attempt)
        executions.append(world.execution_of(put))
        killed.add(kill_at(moment, world.lake, victims, executions[-1], frozenset(killed)))
        if number % TRIES == 0:
            entry = world.come_to(put, Status.FAILED, attempt=attempt)
            assert world.is_where_it_landed(entry) or world.kept(entry)
            world.redrive(put)
            attempt += 1
    return executions


@pytest.fixture(scope="module")
def broken(world, victims) -> dict[str, tuple[Journey, list[str]]]:
    """Return each file with the executions whose runs were killed, by scenario."""

    def run(number: int, scenario: str) -> tuple[Journey, list[str]]:
        put = world.put_alone(f"crashes/{number}.csv", file(number, days[scenario]))
        executions = break_runs(world, victims, put, FIRST_ATTEMPT_DIES[scenario])
        world.come_to(put, Status.ARCHIVED)
        return put, executions

    days = {scenario: world.new_day() for scenario in FIRST_ATTEMPT_DIES}
    with ThreadPoolExecutor(2) as pool:
        runs: dict[str, Future] = {name: pool.submit(run, n, name) for n, name in enumerate(FIRST_ATTEMPT_DIES)}
    return {name: future.result() for name, future in runs.items()}


def test_no_killed_run_changes_a_metric(world, broken):
    world.check()
    world.check_archived(*(put for put, _ in broken.values()))


def test_a_run_does_not_repeat_the_commits_of_a_killed_run(world, broken):
    for _, executions in broken.values():
        for execution in executions:
            assert world.lake.appends(REJECTED_ROWS, execution) <= 1
            assert world.lake.appends(LISTENS, execution) <= 1


def test_a_replay_that_is_killed_repeatedly_counts_nothing_twice(world, victims, broken):
    put, _ = broken["with its metrics written"]
    world.request(put, Action.REPLAY)
    world.come_to(put, Status.RUNNING, attempt=2)
    break_runs(world, victims, put, SECOND_ATTEMPT_DIES)
    assert world.come_to(put, Status.ARCHIVED, attempt=3)
    world.check()
    world.check_archived(put)


def test_a_retraction_that_is_killed_after_its_deletion_still_changes_the_metrics(world, victims):
    day = world.new_day()
    put = world.put_alone("crashes/retracted.csv", file(8, day))
    world.come_to(put, Status.ARCHIVED)
    assert world.of_day(day)
    world.request(put, Action.RETRACT)
    world.come_to(put, Status.RUNNING, attempt=2)
    break_runs(world, victims, put, [moments.older_copies_deleted, moments.spark_starts])
    world.come_to(put, Status.RETRACTED, attempt=3)
    del world.streams[put.source_id]
    assert not world.of_day(day)
    world.check()


def test_a_loader_that_is_killed_halfway_leaves_no_stale_items(world, victims):
    day, killed, written_until = world.new_day(), set[int](), ""
    put = world.put_alone("crashes/half loaded.csv", file(9, day))
    execution = world.execution_of(put)
    for _ in range(TRIES):
        loader = victims.run(LOAD, execution, frozenset(killed))
        awaited(partial(world.has_items_since, day, written_until), 300, every=0.02)
        with held(loader):
            written = [item for item in world.of_day(day).values() if item["updated_at"] > written_until]
            assert kill(loader)
        assert 0 < len(written) < len(world.expected_of(day)) / 2
        killed.add(loader.pid)
        written_until = max(item["updated_at"] for item in written)
    world.come_to(put, Status.FAILED)
    world.redrive(put)
    world.come_to(put, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(put)
