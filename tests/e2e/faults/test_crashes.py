"""The jobs of a run, killed at every moment that matters, by the state machine's leave twice."""

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
TRIES = 2  # runs of a job that the state machine begins before it gives up

# When the runs of a file are killed, one after the other: every second time it fails and has to be redriven.
FIRST_ATTEMPT_DIES = {
    "before its commits, then between them": [moments.spark_starts, moments.rejected_rows_committed],
    "during a commit, then after it": [moments.listens_written, moments.listens_committed],
    "with its metrics written": [moments.metrics_written],
}
SECOND_ATTEMPT_DIES = [moments.listens_committed, moments.older_copies_deleted]


def file(seed: int, day: date) -> bytes:
    return sample_data.streams(seed, CATALOGUE, day, ROWS, dirty=0.05, duplicates=0.02, unknown=0.02)


def break_runs(world: World, victims: Victims, put: Journey, strike_at: Sequence[Moment]) -> list[str]:
    """Kill one run after the other, redrive what fails thereby; gives the names of the executions."""
    attempt, executions, killed = world.entry(put).attempt, [], set[int]()
    for number, moment in enumerate(strike_at, start=1):
        world.come_to(put, Status.RUNNING, attempt=attempt)
        executions.append(world.execution_of(put))
        killed.add(kill_at(moment, world.lake, victims, executions[-1], frozenset(killed)))
        if number % TRIES == 0:
            entry = world.come_to(put, Status.FAILED, attempt=attempt)
            assert world.lies_where_it_landed(entry) or world.kept(entry)
            world.redrive(put)
            attempt += 1
    return executions


@pytest.fixture(scope="module")
def broken(world, victims) -> dict[str, tuple[Journey, list[str]]]:
    """Each file with the executions whose runs were killed, by its story."""

    def tell(number: int, story: str) -> tuple[Journey, list[str]]:
        put = world.put_alone(f"crashes/{number}.csv", file(number, days[story]))
        executions = break_runs(world, victims, put, FIRST_ATTEMPT_DIES[story])
        world.come_to(put, Status.ARCHIVED)
        return put, executions

    days = {story: world.new_day() for story in FIRST_ATTEMPT_DIES}
    with ThreadPoolExecutor(2) as pool:
        told: dict[str, Future] = {story: pool.submit(tell, n, story) for n, story in enumerate(FIRST_ATTEMPT_DIES)}
    return {story: future.result() for story, future in told.items()}


def test_no_death_of_a_run_changes_a_number(world, broken):
    world.check()
    world.check_archived(*(put for put, _ in broken.values()))


def test_a_run_finds_the_commits_of_the_one_that_died_before_it(world, broken):
    for _, executions in broken.values():
        for execution in executions:
            assert world.lake.appends(REJECTED_ROWS, execution) <= 1
            assert world.lake.appends(LISTENS, execution) <= 1


def test_a_replay_that_dies_again_and_again_counts_nothing_twice(world, victims, broken):
    put, _ = broken["with its metrics written"]
    world.ask(put, Action.REPLAY)
    world.come_to(put, Status.RUNNING, attempt=2)
    break_runs(world, victims, put, SECOND_ATTEMPT_DIES)
    assert world.come_to(put, Status.ARCHIVED, attempt=3)
    world.check()
    world.check_archived(put)


def test_a_retraction_that_dies_after_its_deletion_still_reaches_the_metrics(world, victims):
    day = world.new_day()
    put = world.put_alone("crashes/retracted.csv", file(8, day))
    world.come_to(put, Status.ARCHIVED)
    assert world.of_day(day)
    world.ask(put, Action.RETRACT)
    world.come_to(put, Status.RUNNING, attempt=2)
    break_runs(world, victims, put, [moments.older_copies_deleted, moments.spark_starts])
    world.come_to(put, Status.RETRACTED, attempt=3)
    del world.streams[put.source_id]
    assert not world.of_day(day)
    world.check()


def test_a_loader_that_dies_half_way_leaves_nothing_behind(world, victims):
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
