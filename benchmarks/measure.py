"""Measures a command with all processes that it starts: `python -m benchmarks.measure COMMAND …`.

The JVM of a Spark job lives longer than the Python process that started it. So a separate process measures each
command: it adopts such orphans and waits for all of them (Linux, PR_SET_CHILD_SUBREAPER).
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
_SET_CHILD_SUBREAPER = 36  # prctl(2)


@dataclass(frozen=True)
class Usage:
    """The resources that a command used.

    Attributes:
        wall: seconds until its last process ended.
        cpu: seconds of all its processes, user and system.
        peak_mb: the greatest resident memory of all its processes together, in 10^6 bytes, sampled 20 times a second.
    """

    wall: float
    cpu: float
    peak_mb: float


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Usage:
    """Run a command to its end with only these environment variables, in `folder`, where its output goes to a file.

    Raises:
        subprocess.CalledProcessError: it failed; `output` has the end of its output.
    """
    log, result = folder / "benchmark output", folder / "usage.json"
    inner = [sys.executable, "-m", "benchmarks.measure", str(result), json.dumps(dict(environment)), *command]
    with log.open("wb") as output:
        done = subprocess.run(
            inner, cwd=ROOT, env={**os.environ, "RUN_IN": str(folder)}, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, list(command), log.read_text(errors="replace")[-3000:])
    return Usage(**json.loads(result.read_text()))


@contextmanager
def watching(sample: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `sample` every so many seconds, in a separate thread, while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(seconds):
            sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def resident_bytes(processes: Iterable[psutil.Process]) -> int:
    """Return the resident memory of those processes that still run."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def _run(environment: dict[str, str], command: list[str]) -> tuple[int, Usage]:
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peaks, here = [0], psutil.Process()
    with watching(lambda: peaks.append(resident_bytes(here.children(recursive=True))), 0.05):
        began = time.monotonic()
        child = os.posix_spawnp(command[0], command, environment)
        code = 0
        with suppress(ChildProcessError):
            while True:
                pid, status = os.wait()
                if pid == child:
                    code = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, Usage(wall, used.ru_utime + used.ru_stime, max(peaks) / 1e6)


if __name__ == "__main__":
    os.chdir(os.environ["RUN_IN"])
    code, usage = _run(json.loads(sys.argv[2]), sys.argv[3:])
    Path(sys.argv[1]).write_text(json.dumps(asdict(usage)))
    sys.exit(code)
