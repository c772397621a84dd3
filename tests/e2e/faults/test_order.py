"""Runs of one day that end in a different order than they began, with a retract in between."""

from functools import partial

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited
from tests.e2e.faults.victims import LOAD, suspended
from tests.e2e.faults.world import CATALOGUE, RARE_GENRE, RARE_TRACK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_metrics_are_of_the_newest_snapshot_if_older_runs_end_last(world, victims):
    early, half_way = world.new_day(), world.new_day()  # their old runs are suspended before and after the fence
    old = [sample_data.streams(n, CATALOGUE, day, 1_500) for n, day in enumerate((early, half_way))]
    new = [sample_data.streams(n, CATALOGUE, day, 300) for n, day in enumerate((early, half_way), start=2)]
    rare = [f"1,{RARE_TRACK},{day} 12:00:00\n".encode() for day in (early, half_way)]
    rare_items = {(f"GENRE#{RARE_GENRE}", f"DAY#{day}") for day in (early, half_way)}

    retracted = world.put("order/retracted.csv", b"user_id,track_id,listen_time\n" + b"".join(rare))
    world.wait_for_status(retracted, Status.ARCHIVED)
    assert rare_items <= {*world.of_day(early), *world.of_day(half_way)}

    first = world.put_alone("order/early.csv", old[0])
    with suspended(victims.run(LOAD, world.execution_of(first))):
        second = world.put_alone("order/half way.csv", old[1])
        started = world.last_updated(half_way)
        loader = victims.run(LOAD, world.execution_of(second))
        awaited(partial(world.has_items_since, half_way, started), 300, every=0.02)
        with suspended(loader):
            written = [item for item in world.of_day(half_way).values() if item["updated_at"] > started]
            assert 0 < len(written) < len(world.expected_of(half_way)) / 2
            assert world.last_updated(early) <= started

            newer = world.put("order/newer.csv", new[0] + new[1].split(b"\n", 1)[1])
            world.wait_for_status(newer, Status.ARCHIVED)
            world.ask(retracted, Action.RETRACT)
            world.wait_for_status(retracted, Status.RETRACTED)
            assert not rare_items & {*world.of_day(early), *world.of_day(half_way)}
    del world.streams[retracted.source_id]
    world.wait_until_ended(first, second)
    world.check()
    world.check_archived(first, second, newer)
