"""The upkeep of the lake on real Iceberg tables."""

from pathlib import Path

import pytest

from tests.integration.transform import own_process


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_upkeep_on_iceberg_tables():
    own_process.run(Path(__file__).with_name("upkeep_cases.py"))
