"""Which tests share a worker of pytest-xdist, and which go first: `-p tests.workers` (docs/testing.md).

What is dear to start, a local cloud or a Spark session, one worker starts, for all tests that use it. Marks cannot say
so: pytest-xdist 3.8 does not see its own mark xdist_group under pytest 9.2.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

# From the longest group to the shortest; those of other modules come last and fill what time is left.
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


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist brings no types
    """A group's tests go to one worker, in their order; a module that is in no group is one of its own."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The group of a test."""
    named = (group for prefix, group in GROUPS.items() if nodeid.startswith(prefix))
    return next(named, nodeid.partition("::")[0])


def place_of(nodeid: str) -> int:
    """When a test's group begins, among the others."""
    group = group_of(nodeid)
    return _ORDER.index(group) if group in _ORDER else len(_ORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest group first."""
    items.sort(key=lambda item: place_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Take this module's scheduling, whatever `--dist` says, and leave the order to it."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)
