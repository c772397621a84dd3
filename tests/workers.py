"""Which tests share a worker of pytest-xdist, and which run first: `-p tests.workers` (docs/testing.md).

A local cloud or a Spark session is slow to start, so one worker starts it for all tests that use it. Marks cannot
express this: pytest-xdist 3.8 ignores its own mark xdist_group under pytest 9.2.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

# From the longest group to the shortest; other modules run last and fill the remaining time.
GROUPS = {
    "tests/e2e/faults/": "clouds to break",
    "tests/e2e/airflow/": "Airflow",
    "tests/e2e/": "the pipeline on one cloud",
    "tests/differential/": "one Spark session",
    "tests/integration/transform/": "one Spark session",
    "tests/integration/reconcile/test_lake.py": "one Spark session",
    "tests/integration/consumers/test_contract.py": "one Spark session",
    "tests/integration/local/": "one cloud without a pipeline",
    "tests/sam/": "functions built by SAM",
}
_ORDER = tuple(dict.fromkeys(GROUPS.values()))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Sends the tests of a group to one worker, in their order; a module without a group is a group of its own."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test."""
    matches = (group for prefix, group in GROUPS.items() if nodeid.startswith(prefix))
    return next(matches, nodeid.partition("::")[0])


def position_of(nodeid: str) -> int:
    """Return the position of a test's group in the order of groups."""
    group = group_of(nodeid)
    return _ORDER.index(group) if group in _ORDER else len(_ORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the order of groups."""
    items.sort(key=lambda item: position_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Use this module's scheduling and order, regardless of `--dist`."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)
