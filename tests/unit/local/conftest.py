import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import processes
from local.state import StateDir


@pytest.fixture
def start_process() -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    """Start a process of the cloud in a folder, which prints a number and sleeps; return both."""
    with ExitStack() as stack:

        def start(root: Path, script: str = "print(0, flush=True)") -> tuple[subprocess.Popen[bytes], int]:
            argv = [sys.executable, "-c", f"{script}; import time; time.sleep(60)"]
            process = processes.start(argv, env={}, marker=StateDir(root).marker, cwd=root, output=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(processes.end_tree, process)
            assert process.stdout is not None
            return process, int(process.stdout.readline())

        yield start
