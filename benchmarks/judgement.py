"""The judgement of huge and hostile files: its peak memory beside the size of the file.

.venv/bin/python -m benchmarks.judgement
"""

import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator

HEADER = b"user_id,track_id,listen_time\n"
ROW = b"26213,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
MIB = 1024 * 1024
BLOCK = ROW * (MIB // len(ROW))


def rows() -> Iterator[bytes]:
    """1 GiB of good rows."""
    yield HEADER
    for _ in range(1024 * MIB // len(BLOCK) - 1):
        yield BLOCK


def one_line() -> Iterator[bytes]:
    """A header, then one line of 1 GB."""
    yield HEADER
    for _ in range(1000):
        yield b"x" * 1_000_000


def blank_lines() -> Iterator[bytes]:
    """1 GiB of line ends."""
    for _ in range(1024):
        yield b"\n" * MIB


def bomb(content: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """The same, gzipped."""
    packer = zlib.compressobj(wbits=31)
    for chunk in content():
        yield packer.compress(chunk)
    yield packer.flush()


CASES: dict[str, Callable[[], Iterator[bytes]]] = {
    "1 GiB of rows": rows,
    "1 GiB of rows, gzip": lambda: bomb(rows),
    "a line of 1 GB": one_line,
    "a line of 1 GB, gzip": lambda: bomb(one_line),
    "1 GiB of blank lines, gzip": lambda: bomb(blank_lines),
}


def measure(name: str) -> None:
    """Judge one case in this process and print what it took."""
    import resource

    from music_streams.verdicts import judge

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    judgement = judge("incoming/big.csv", CASES[name](), 2 * 1024 * MIB)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = judgement.verdict or "valid"
    print(
        f"{name:<27} {verdict:<11} peak {peak / 1024:4.0f} MiB, of it judging {(peak - before) / 1024:3.0f} MiB "
        f"= 1/{1024 * 1024 // max(1, peak - before)} of the file; {time.process_time() - began:.1f} s of CPU",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(sys.argv[1])
    else:
        for case in CASES:  # each in a process of its own: the peak of a process never falls
            subprocess.run([sys.executable, "-m", "benchmarks.judgement", case], check=True)
