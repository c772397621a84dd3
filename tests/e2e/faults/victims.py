"""The processes of a local cloud, which tests kill or suspend. Its server emulates AWS and is left alone."""

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
    """The function workers and job runs of the local cloud with this state folder."""

    cloud: Path

    def all(self) -> list[psutil.Process]:
        state = StateDir(self.cloud)
        server = state.live_server()
        assert server
        return [each for each in processes.find(state.marker) if each.pid != server.pid]

    def runs(self, script: str, execution: str = "") -> list[psutil.Process]:
        """Return the live job runs of a script, of one execution if it is named."""
        processes_of_script = []
        for each in self.all():
            with contextlib.suppress(psutil.Error):
                program, arguments = each.cmdline()[1:2], each.cmdline()[2:]
                if program and program[0].endswith(script) and (not execution or execution in arguments):
                    processes_of_script.append(each)
        return processes_of_script

    def run(
        self, script: str, execution: str, excluding: frozenset[int] = frozenset(), seconds: float = 300
    ) -> psutil.Process:
        """Wait for a job run of a script for an execution, excluding some process ids, and return it."""

        def find() -> psutil.Process | None:
            return next((each for each in self.runs(script, execution) if each.pid not in excluding), None)

        return awaited(find, seconds, every=0.05)

    def kill_all(self) -> int:
        """Kill all running processes with SIGKILL, and return their number."""
        return _kill(self.all())


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return the process and its descendants, the youngest first."""
    with contextlib.suppress(psutil.Error):
        return [*reversed(process.children(recursive=True)), process]
    return []


def kill(process: psutil.Process) -> bool:
    """Kill a process and its descendants with SIGKILL, and return whether it was alive."""
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
def suspended(process: psutil.Process) -> Iterator[None]:
    """Suspend a process and its descendants."""
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
