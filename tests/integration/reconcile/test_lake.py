"""The lake read without Spark, from tables that Spark wrote, in a process of its own (as transform/test_iceberg.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("lake_cases.py")


@pytest.mark.timeout(1800)
def test_the_lake_is_read_without_spark():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "--durations=5", CASES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
