from collections.abc import Iterator

import pytest

from tests.integration.local.clouds import STACK, Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud for all tests that do not stop it."""
    running = Cloud.up(tmp_path_factory.mktemp("cloud"), STACK)
    yield running
    running.down()
