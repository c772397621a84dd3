"""One table for the tests of a module: they only read, or write days of their own."""

from collections.abc import Iterator

import pytest

from music_streams.reader import MetricsReader
from tests.integration.consumers.metrics_table import MetricsTable, metrics_table
from tests.integration.domain.world import World


@pytest.fixture(scope="module")
def table() -> Iterator[MetricsTable]:
    with metrics_table() as found:
        yield found


@pytest.fixture(scope="module")
def reader(table) -> MetricsReader:
    return MetricsReader(table.name, table.dynamodb)


@pytest.fixture(scope="module")
def world(table) -> World:
    """What the steps of a run work with, beside the table."""
    return World()
