"""One table per test module, whose tests only read or write their own days."""

from collections.abc import Iterator

import pytest

from music_streams.reader import MetricsReader
from tests.integration.consumers.metrics_table import MetricsTable, metrics_table
from tests.integration.domain.world import World


@pytest.fixture(scope="module")
def table() -> Iterator[MetricsTable]:
    with metrics_table() as created:
        yield created


@pytest.fixture(scope="module")
def reader(table) -> MetricsReader:
    return MetricsReader(table.name, table.dynamodb)


@pytest.fixture(scope="module")
def world(table) -> World:
    """Everything that the steps of a run need, except the table."""
    return World()
