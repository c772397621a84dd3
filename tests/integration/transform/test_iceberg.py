"""The lake on real Iceberg tables, in a process of its own: Iceberg must be on the class path when the JVM starts."""

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("iceberg_cases.py")


@pytest.mark.timeout(1800)
def test_the_lake_on_iceberg_tables():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "--durations=5", CASES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
