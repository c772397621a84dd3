"""docs/analysts.md on real Iceberg tables, in a process of its own (as test_iceberg.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("analyst_cases.py")


@pytest.mark.timeout(1800)
def test_what_the_page_says_of_the_lake_is_so():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "--durations=5", CASES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
