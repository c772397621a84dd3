"""The cases on real Iceberg tables."""

from pathlib import Path

import pytest

from tests.integration.transform import own_process

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("analyst_cases", "maintenance_cases")]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cases", ["iceberg_cases", *SLOW])
def test_on_iceberg_tables(cases):
    own_process.run(Path(__file__).with_name(f"{cases}.py"))
