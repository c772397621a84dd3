"""Stories that went wrong once, told call by call: programs nobody waits for any more, two operators at once."""

import pytest

from music_streams import clock
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from tests.stateful.cloud import TO_THE_END, Running
from tests.stateful.files import ROWS, TRACKS
from tests.stateful.world import World

DAY_ONE, DAY_TWO, DAY_ONE_TOO = ROWS[0], ROWS[1], ROWS[4]


@pytest.fixture
def world(monkeypatch):
    """A file is archived; whatever the story, all is well when it has come to rest."""
    world = World(track_metrics=True)
    monkeypatch.setattr(clock, "now", world.cloud.stamp)
    world.put_reference({TRACKS[0]: ("pop",)}, {}, deliveries=1)
    world.put("incoming/a.csv", [DAY_ONE], deliveries=1)
    world.run_all()
    yield world
    world.check()
    world.come_to_rest(is_calm=False)
    world.check_at_rest()
    world.close()


def entry_of(world: World, key: str = "incoming/a.csv") -> Entry:
    return next(entry for entry in world.entries() if entry.source.key == key)


def to_the_end(world: World, name: str) -> None:
    """Let the program of that name come to its end."""
    world.cloud.go(running(world, name), TO_THE_END)


def running(world: World, name: str) -> Running:
    return next(each for each in reversed(world.cloud.running) if each.name.startswith(name))


def up_to(world: World, program: Running, call: str) -> None:
    """Let a program go on up to a call of its own, that made."""
    while not world.cloud.story[-1].endswith(f": {call}"):
        assert not program.process.is_over, f"{program.name} never makes the call {call}"
        world.cloud.go(program, 1)


def run_others(world: World, asleep: Running) -> None:
    """Let everybody go on but one."""
    cloud = world.cloud
    while [each for each in cloud.running if each is not asleep] or cloud.visible():
        if waiting := cloud.visible():
            cloud.validate(waiting)
        for each in [each for each in cloud.running if each is not asleep]:
            cloud.go(each, TO_THE_END)


def begin_transform(world: World, up_to_call: str) -> Running:
    """Let what waits in the queue become an execution, and its transform go on up to a call."""
    world.cloud.validate(world.cloud.visible())
    to_the_end(world, "validate")
    to_the_end(world, "claim")
    transform = running(world, "transform")
    up_to(world, transform, up_to_call)
    return transform


def test_two_operators_want_different_things_of_a_file_and_the_slower_writes_its_manifest_last(world):
    entry = entry_of(world)
    world.ask(entry, Action.REPLAY, 1)
    world.ask(entry, Action.RETRACT, 1)
    replay, retract = world.cloud.visible()
    slower = world.cloud.validate([retract])
    up_to(world, slower, "get_item")
    world.cloud.go(world.cloud.validate([replay]), TO_THE_END)
    to_the_end(world, "claim")
    world.cloud.go(slower, TO_THE_END)
    world.run_all()


def test_a_second_transform_sums_up_late_while_the_metrics_of_the_first_are_loaded(world):
    world.put("incoming/b.csv", [DAY_ONE_TOO], deliveries=1)
    late = begin_transform(world, "put_object")
    [execution] = world.alive()
    world.cloud.repeat_step(execution)
    in_time = running(world, "transform")
    world.put("incoming/c.csv", [DAY_TWO], deliveries=1)
    begin_transform(world, "append")
    to_the_end(world, "transform")
    world.cloud.go(in_time, TO_THE_END)
    load = running(world, "load")
    up_to(world, load, "update_item")
    world.cloud.kill(load)
    world.cloud.go(late, TO_THE_END)
    world.run_all()


@pytest.mark.parametrize("action", [Action.REPLAY, Action.RETRACT])
def test_a_second_transform_outlives_its_execution_and_meets_the_next_attempt(world, action):
    world.ask(entry_of(world), Action.REPLAY, 1)
    asleep = begin_transform(world, "has_commit")
    [execution] = world.alive()
    world.cloud.repeat_step(execution)
    run_others(world, asleep)
    world.ask(entry_of(world), action, 1)
    run_others(world, asleep)
    world.cloud.go(asleep, TO_THE_END)


def test_a_transform_outlives_an_execution_that_was_ended_and_meets_the_next_attempt(world):
    world.ask(entry_of(world), Action.REPLAY, 1)
    asleep = begin_transform(world, "append")
    [execution] = world.alive()
    world.cloud.end_execution(execution, "ABORTED", "")
    world.cloud.deliver_failure(world.cloud.failure_events[0])
    run_others(world, asleep)
    world.ask(entry_of(world), Action.REDRIVE, 1)
    run_others(world, asleep)
    world.cloud.go(asleep, TO_THE_END)
