"""Cases on real Iceberg tables, in a process of their own: Iceberg must be on the class path when the JVM starts."""

import subprocess
import sys
from pathlib import Path


def run(cases: Path) -> None:
    """Run a file of cases; where one fails, so does the caller, with all that was printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "--durations=5", cases],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
