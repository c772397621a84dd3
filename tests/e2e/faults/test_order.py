"""Runs of one day that end in a different order than they began, with a retraction in between."""

from functools import partial

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited
from tests.e2e.faults.victims import LOAD, held
from tests.e2e.faults.world import CATALOGUE, RARE_GENRE, RARE_TRACK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_newest_snapshot_is_published_when_older_runs_end_last(world, victims):
    early, halfway = world.new_day(), world.new_day()  # the days whose older runs are paused before and after the fence
    old = [sample_data.streams(n, CATALOGUE, day, 1_500) for n, day in enumerate((early, halfway))]
    new = [sample_data.streams(n, CATALOGUE, day, 300) for n, day in enumerate((early, halfway), start=2)]
    rare = [f"1,{RARE_TRACK},{day} 12:00:00\n".encode() for day in (early, halfway)]
    rare_items = {(f"GENRE#{RARE_GENRE}", f"DAY#{day}") for day in (early, halfway)}

    withdrawn = world.put("order/withdrawn.csv", b"user_id,track_id,listen_time\n" + b"".join(rare))
    world.come_to(withdrawn, Status.ARCHIVED)
    assert rare_items <= {*world.of_day(early), *world.of_day(halfway)}

    first = world.put_alone("order/early.csv", old[0])
    with held(victims.run(LOAD, world.execution_of(first))):
        second = world.put_alone("order/half way.csv", old[1])
        begun = world.newest_timestamp(halfway)
        loader = victims.run(LOAD, world.execution_of(second))
        awaited(partial(world.has_items_since, halfway, begun), 300, every=0.02)
        with held(loader):
            written = [item for item in world.of_day(halfway).values() if item["updated_at"] > begun]
            assert 0 < len(written) < len(world.expected_of(halfway)) / 2
            assert world.newest_timestamp(early) <= begun

            newer = world.put("order/newer.csv", new[0] + new[1].split(b"\n", 1)[1])
            world.come_to(newer, Status.ARCHIVED)
            world.request(withdrawn, Action.RETRACT)
            world.come_to(withdrawn, Status.RETRACTED)
            assert not rare_items & {*world.of_day(early), *world.of_day(halfway)}
    del world.streams[withdrawn.source_id]
    world.settle(first, second)
    world.check()
    world.check_archived(first, second, newer)
