"""validate: its cold start, and the validation of a file of real size, a large one, and hostile ones."""

import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

from benchmarks.cloud import credentials_of, running_cloud, streams
from benchmarks.figures import Figure, of_usages
from benchmarks.measure import ROOT, measure
from music_streams.stack import Stack
from music_streams.validation.file_verdicts import validate

PART = "validate"
_STARTS = 10
_HEADER = b"user_id,track_id,listen_time\n"
_ROW = b"26213,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
_MIB = 1024 * 1024
_BLOCK = _ROW * (_MIB // len(_ROW))


def _rows() -> Iterator[bytes]:
    return chain([_HEADER], repeat(_BLOCK, 1024 * _MIB // len(_BLOCK) - 1))


def _gzipped(content: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    yield from map(packer.compress, content)
    yield packer.flush()


CASES: dict[str, Callable[[], Iterator[bytes]]] = {
    "1 GiB of rows": _rows,
    "1 GiB of rows, gzip": lambda: _gzipped(_rows()),
    "a line of 1 GB": lambda: chain([_HEADER], repeat(b"x" * 1_000_000, 1000)),
    "1 GiB of blank lines, gzip": lambda: _gzipped(repeat(b"\n" * _MIB, 1024)),
}


def figures() -> list[Figure]:
    """Start the function's process; validate each case in a separate process."""
    results = []
    with running_cloud() as stack, tempfile.TemporaryDirectory(prefix="validate-") as folder:
        start = [sys.executable, "-c", "import app"]
        starts = [measure(start, _environment(stack), Path(folder)) for _ in range(_STARTS)]
        results.append(Figure(PART, "cold start", "ms", [1000 * usage.wall for usage in starts], "≤ 600"))
        results.append(Figure(PART, "a file of 11,346 rows", "ms", [_milliseconds(streams(11_346)) for _ in range(20)]))
        for case in CASES:
            command = [sys.executable, "-m", "benchmarks.validate", case]
            results += of_usages(PART, case, [measure(command, {**os.environ, "PYTHONPATH": str(ROOT)}, Path(folder))])
    return results


def _environment(stack: Stack) -> dict[str, str]:
    """Return the environment of the deployed function."""
    functions = stack.client("lambda").list_functions()["Functions"]
    [variables] = [
        function["Environment"]["Variables"] for function in functions if "Validate" in function["FunctionName"]
    ]
    code = f"{ROOT / 'functions' / 'validate'}{os.pathsep}{ROOT}"
    given = {"AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"], "PYTHONPATH": code}
    return {**credentials_of(stack).environment, **variables, **given}


def _milliseconds(content: bytes) -> float:
    began = time.perf_counter()
    validate("incoming/a.csv", iter([content]), 1024 * _MIB)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    validate("incoming/big.csv", CASES[sys.argv[1]](), 2 * 1024 * _MIB)
