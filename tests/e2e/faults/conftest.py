"""A local cloud of their own for the tests that kill its processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from music_streams.stack import Stack, find_stack
from tests.e2e.conftest import running_cloud
from tests.e2e.faults.jobs import change_job
from tests.e2e.faults.lake import Lake
from tests.e2e.faults.victims import Victims
from tests.e2e.faults.world import CATALOGUE, SONGS, World


@pytest.fixture(scope="package")
def cloud(tmp_path_factory) -> Iterator[Path]:
    with running_cloud(tmp_path_factory.mktemp("cloud-to-break")) as state:
        yield state


@pytest.fixture(scope="package")
def stack(cloud) -> Stack:
    return find_stack(environment={"LOCAL_CLOUD_STATE": str(cloud)})


@pytest.fixture(scope="package")
def victims(cloud) -> Victims:
    return Victims(cloud)


@pytest.fixture(scope="package")
def world(stack) -> World:
    """The pipeline with reference data and with items of tracks, of which no fence keeps a list."""
    change_job(stack, "TransformJobName", {"--publish_track_metrics": "true"})
    world = World(stack, Lake(stack))
    world.settle(
        world.put_reference("songs", "made.csv", SONGS),
        world.put_reference("users", "made.csv", CATALOGUE.users),
    )
    return world
