"""A separate local cloud for the tests that kill its processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from music_streams.stack import Stack, find_stack
from tests.e2e.conftest import running_cloud
from tests.e2e.faults.victims import Victims
from tests.e2e.faults.world import World


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
    return World.of(stack)
