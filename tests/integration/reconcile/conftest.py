"""AWS in the test's own process, as the steps of the pipeline use it, and emptied on request."""

from collections.abc import Callable

import pytest

from tests.integration.domain.conftest import world
from tests.integration.domain.world import LAKE, LANDING, World
from tests.integration.load.days import TABLES

__all__ = ["emptied", "empty", "world"]


@pytest.fixture
def empty(world: World) -> Callable[[], None]:
    """Delete all objects, items and alerts, and end all executions."""

    def empty_it() -> None:
        for bucket in (LANDING, LAKE):
            for page in world.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    world.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        for table, keys in TABLES.items():
            for page in world.dynamodb.get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    world.dynamodb.delete_item(TableName=table, Key={key: item[key] for key in keys})
        for name in world.state_machine.running():
            world.end_execution(name)
        world.sent_alerts()

    return empty_it


@pytest.fixture
def emptied(world: World, empty: Callable[[], None]) -> World:
    """A world without the objects and items of other tests."""
    empty()
    return world
