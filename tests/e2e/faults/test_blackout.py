"""All processes except the AWS emulator are killed repeatedly while they work."""

from collections.abc import Callable

import pytest

from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.faults.victims import LOAD, TRANSFORM, Victims, tree
from tests.e2e.faults.world import CATALOGUE, World, now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILES_AT_ONCE = 3


def test_all_metrics_are_right_after_all_processes_were_killed_repeatedly(world, victims):
    days = [world.new_day() for _ in range(FILES_AT_ONCE)]
    puts: list[Journey] = []
    killed_at = now()
    for number, is_reached in enumerate(moments(world, victims, puts)):
        for day in days:
            rows = sample_data.streams(number, CATALOGUE, day, 200, dirty=0.05, duplicates=0.02)
            puts.append(world.put(f"blackout/{day} {number}.csv", rows))
        world.redrive_until(is_reached, killed_at)
        killed_at = now()
        assert victims.kill_all() > 0
    world.redrive_until(lambda: all(is_at(world, put, Status.ARCHIVED) for put in puts), killed_at)
    world.check()
    world.check_archived(*puts)
    bucket = world.stack.landing_bucket
    assert not world.stack.s3.list_object_versions(Bucket=bucket, Prefix="incoming/").get("Versions")


def moments(world: World, victims: Victims, puts: list[Journey]) -> list[Callable[[], bool]]:
    """Return the points to kill at: validate, Spark, the loader, the later functions have begun with the last files."""
    return [
        lambda: any(world.stack.ledger.entry(put.source_id) for put in puts[-FILES_AT_ONCE:]),
        lambda: any(len(tree(run)) > 1 for run in victims.runs(TRANSFORM)),
        lambda: bool(victims.runs(LOAD)),
        lambda: any(is_at(world, put, Status.PUBLISHED, Status.ARCHIVED) for put in puts),
    ]


def is_at(world: World, put: Journey, *statuses: Status) -> bool:
    entry = world.stack.ledger.entry(put.source_id)
    return entry is not None and entry.status in statuses
