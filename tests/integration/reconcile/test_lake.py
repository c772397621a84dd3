"""The lake read without Spark, from tables that Spark wrote."""

from pathlib import Path

import pytest

from tests.integration.transform import own_process

pytestmark = pytest.mark.slow


@pytest.mark.timeout(1800)
def test_the_lake_is_read_without_spark():
    own_process.run(Path(__file__).with_name("lake_cases.py"))
