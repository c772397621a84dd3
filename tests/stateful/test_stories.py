"""Sequences of calls that failed once: programs that outlive their execution, concurrent requests of two operators."""

import pytest

from music_streams import clock
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from tests.stateful.cloud import ALL_CALLS, Running
from tests.stateful.files import ROWS, TRACKS
from tests.stateful.world import World

DAY_ONE, DAY_TWO, DAY_ONE_TOO = ROWS[0], ROWS[1], ROWS[4]


@pytest.fixture
def world(monkeypatch):
    """Archive a file before the test; check the final state after it."""
    world = World(track_metrics=True)
    monkeypatch.setattr(clock, "now", world.cloud.timestamp)
    world.put_reference({TRACKS[0]: ("pop",)}, {}, deliveries=1)
    world.put("incoming/a.csv", [DAY_ONE], deliveries=1)
    world.run_all()
    yield world
    world.check()
    world.drain(is_fault_free=False)
    world.check_final_state()
    world.close()


def entry_of(world: World, key: str = "incoming/a.csv") -> Entry:
    return next(entry for entry in world.entries() if entry.source.key == key)


def run_to_end(world: World, name: str) -> None:
    """Let the program of that name run to its end."""
    world.cloud.go(running(world, name), ALL_CALLS)


def running(world: World, name: str) -> Running:
    return next(program for program in reversed(world.cloud.running) if program.name.startswith(name))


def run_up_to(world: World, program: Running, call: str) -> None:
    """Let a program continue until it has made a call."""
    while not world.cloud.history[-1].endswith(f": {call}"):
        assert not program.process.is_over, f"{program.name} never makes the call {call}"
        world.cloud.go(program, 1)


def run_others(world: World, paused: Running) -> None:
    """Run all programs but one to their end."""
    cloud = world.cloud
    while [program for program in cloud.running if program is not paused] or cloud.visible():
        if waiting := cloud.visible():
            cloud.validate(waiting)
        for program in [program for program in cloud.running if program is not paused]:
            cloud.go(program, ALL_CALLS)


def begin_transform(world: World, call: str) -> Running:
    """Start an execution for the messages in the queue, and let its transform continue up to a call."""
    world.cloud.validate(world.cloud.visible())
    run_to_end(world, "validate")
    run_to_end(world, "claim")
    transform = running(world, "transform")
    run_up_to(world, transform, call)
    return transform


def test_of_two_concurrent_requests_for_a_file_the_slower_may_write_its_manifest_last(world):
    entry = entry_of(world)
    world.request(entry, Action.REPLAY, 1)
    world.request(entry, Action.RETRACT, 1)
    replay, retract = world.cloud.visible()
    slower = world.cloud.validate([retract])
    run_up_to(world, slower, "get_item")
    world.cloud.go(world.cloud.validate([replay]), ALL_CALLS)
    run_to_end(world, "claim")
    world.cloud.go(slower, ALL_CALLS)
    world.run_all()


def test_a_retried_transform_may_write_its_summary_while_the_other_metrics_are_loaded(world):
    world.put("incoming/b.csv", [DAY_ONE_TOO], deliveries=1)
    late = begin_transform(world, "put_object")
    [execution] = world.alive()
    world.cloud.repeat_step(execution)
    in_time = running(world, "transform")
    world.put("incoming/c.csv", [DAY_TWO], deliveries=1)
    begin_transform(world, "append")
    run_to_end(world, "transform")
    world.cloud.go(in_time, ALL_CALLS)
    load = running(world, "load")
    run_up_to(world, load, "update_item")
    world.cloud.kill(load)
    world.cloud.go(late, ALL_CALLS)
    world.run_all()


@pytest.mark.parametrize("action", [Action.REPLAY, Action.RETRACT])
def test_a_retried_transform_that_outlives_its_execution_does_not_harm_the_next_attempt(world, action):
    world.request(entry_of(world), Action.REPLAY, 1)
    paused = begin_transform(world, "has_commit")
    [execution] = world.alive()
    world.cloud.repeat_step(execution)
    run_others(world, paused)
    world.request(entry_of(world), action, 1)
    run_others(world, paused)
    world.cloud.go(paused, ALL_CALLS)


def test_a_transform_that_outlives_an_aborted_execution_does_not_harm_the_next_attempt(world):
    world.request(entry_of(world), Action.REPLAY, 1)
    paused = begin_transform(world, "append")
    [execution] = world.alive()
    world.cloud.end_execution(execution, "ABORTED", "")
    world.cloud.deliver_failure(world.cloud.failure_events[0])
    run_others(world, paused)
    world.request(entry_of(world), Action.REDRIVE, 1)
    run_others(world, paused)
    world.cloud.go(paused, ALL_CALLS)
