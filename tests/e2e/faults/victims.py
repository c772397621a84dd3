"""The processes of one cloud, to be killed or paused; its server, which stands for AWS, is excluded."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from local import processes
from local.state import StateDir
from tests.e2e.conftest import awaited

TRANSFORM = "transform_streams.py"
LOAD = "load_metrics.py"


@dataclass(frozen=True)
class Victims:
    """The function workers and job runs of the cloud with this state folder."""

    cloud: Path

    def all(self) -> list[psutil.Process]:
        state = StateDir(self.cloud)
        server = state.live_server()
        assert server
        return [process for process in processes.find(state.marker) if process.pid != server.pid]

    def runs(self, script: str, execution: str = "") -> list[psutil.Process]:
        """Return the live job runs of a script, or those of one execution."""
        runs = []
        for process in self.all():
            with contextlib.suppress(psutil.Error):
                program, arguments = process.cmdline()[1:2], process.cmdline()[2:]
                if program and program[0].endswith(script) and (not execution or execution in arguments):
                    runs.append(process)
        return runs

    def run(
        self, script: str, execution: str, but: frozenset[int] = frozenset(), seconds: float = 300
    ) -> psutil.Process:
        """Wait for the run of a script for an execution, with a process id not in `but`, and return it."""

        def find() -> psutil.Process | None:
            return next((process for process in self.runs(script, execution) if process.pid not in but), None)

        return awaited(find, seconds, every=0.05)

    def kill_all(self) -> int:
        """Kill all processes with SIGKILL; return their number."""
        return _kill(self.all())


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return the process and its descendants, the youngest first."""
    with contextlib.suppress(psutil.Error):
        return [*reversed(process.children(recursive=True)), process]
    return []


def kill(process: psutil.Process) -> bool:
    """Kill a process and its descendants with SIGKILL; return whether it was alive."""
    return _kill(tree(process)) > 0


def _kill(members: list[psutil.Process]) -> int:
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.kill()
    awaited(lambda: not any(map(_is_alive, members)), every=0.02)
    return len(members)


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # the server reaps it later
    return False


@contextlib.contextmanager
def held(process: psutil.Process) -> Iterator[None]:
    """Pause the process and its descendants within the block."""
    members = tree(process)
    _signal(members, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(members, signal.SIGCONT)


def _signal(members: list[psutil.Process], number: signal.Signals) -> None:
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.send_signal(number)
