"""Runs cases on real Iceberg tables in their own process: Iceberg must be on the class path when the JVM starts."""

import subprocess
import sys
from pathlib import Path


def run(cases: Path) -> None:
    """Run a file of cases; fail with its output if one of them fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "--durations=5", cases],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
