"""docs/analysts.md on real Iceberg tables."""

from pathlib import Path

import pytest

from tests.integration.transform import own_process


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_the_page_says_of_the_lake_is_so():
    own_process.run(Path(__file__).with_name("analyst_cases.py"))
