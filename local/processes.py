"""Child processes that cannot outlive the cloud.

Four mechanisms ensure that: the code that starts a process ends its whole tree; on Linux the kernel kills a child whose
parent died (PR_SET_PDEATHSIG); a stopping server ends all that it started; and an environment variable of every process
names its cloud, so that `sweep` finds what is left among all processes of the machine.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import psutil

MARKER = "LOCAL_CLOUD_PROCESS_OF"
"""The environment variable that marks a cloud's processes; its value names the cloud."""
_GUARD = Path(__file__).with_name("guard.py")

# The kernel ties a child to the THREAD that started it, not to the process, so one permanent thread starts all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    marker: str,
    cwd: Path,
    output: int | IO[bytes],
    address_space: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a guarded child in a new session, with stdout and stderr redirected to output.

    address_space: limit in bytes, or None.
    """
    guarded = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(address_space or 0), *argv]
    marked = {**env, MARKER: marker}
    return _starter.submit(start_detached, guarded, env=marked, cwd=cwd, output=output).result()


def start_detached(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, output: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a child that may outlive us in a new session, with stdout and stderr redirected to output."""
    return subprocess.Popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def resident_bytes(pid: int) -> int:
    """Return the memory that the process uses, 0 if it is gone."""
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def end_tree(process: subprocess.Popen[bytes], *, grace: float = 0.0) -> None:
    """End a child with all its descendants: send SIGTERM, wait `grace` seconds, then send SIGKILL."""
    tree: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(process.pid)
        tree = [leader, *leader.children(recursive=True)]
    if grace > 0:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    _signal_group(process.pid, signal.SIGKILL)
    for member in tree:
        with contextlib.suppress(psutil.Error):
            member.kill()
    process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def find(marker: str) -> list[psutil.Process]:
    """Return all running processes of the cloud except the caller."""
    matches = []
    for process in psutil.process_iter():
        # The environment of other users' processes, and of those that end meanwhile, cannot be read.
        with contextlib.suppress(psutil.Error, OSError):
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if process.pid != os.getpid() and is_alive and process.environ().get(MARKER) == marker:
                matches.append(process)
    return matches


def sweep(marker: str, *, patience: float = 5.0) -> int:
    """Kill what is left of a cloud, and return how many processes were killed.

    Raises TimeoutError if a process does not end in `patience` seconds.
    """
    deadline = time.monotonic() + patience
    killed: set[int] = set()
    while remaining := find(marker):
        if time.monotonic() > deadline:
            raise TimeoutError(", ".join(str(process.pid) for process in remaining))
        for process in remaining:
            killed.add(process.pid)
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(remaining, timeout=0.5)
    return len(killed)
