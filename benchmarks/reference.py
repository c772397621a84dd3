"""Parsing of reference files: one of the public songs file's shape, and hostile ones, each in a separate process."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

from benchmarks.figures import Figure, of_usages
from benchmarks.measure import ROOT, measure
from music_streams.reference.parsed import write_rows
from music_streams.state.object_keys import Kind

PART = "reference"
_MIB = 1024 * 1024
_HEADER = (
    b"id,track_id,artists,album_name,track_name,popularity,duration_ms,explicit,danceability,energy,key,loudness,mode,"
    b"speechiness,acousticness,instrumentalness,liveness,valence,tempo,time_signature,track_genre\n"
)
_ROW = (
    b"%d,%022d,Ada Brook;Gus Hill,Low Tide,%s,73,230666,False,0.676,0.461,1,-6.746,0,0.143,0.0322,1.01e-06,0.358,0.715,"
    b"87.917,4,acoustic\n"
)


def _block(name: bytes) -> bytes:
    """Return 1 MiB of rows."""
    rows = b"".join(_ROW % (number, number, name) for number in range(8_000))
    return rows[: rows.rindex(b"\n", 0, _MIB) + 1]


def _songs(name: bytes = b"Comedy") -> Iterator[bytes]:
    return chain([_HEADER], repeat(_block(name), 1024))


CASES: dict[str, Callable[[], Iterator[bytes]]] = {
    "1 GiB of songs": _songs,
    "1 GiB of songs, quotes in each row": lambda: _songs(b'"Comedy, ""live"""'),
    "1 GiB of songs, line breaks in each row": lambda: _songs(b'"Comedy\nlive"'),
    "100 MiB of quotes that are never closed": lambda: chain([_HEADER], repeat(b'1,"x\n' * (_MIB // 5), 100)),
    "100 MiB of a line": lambda: chain([_HEADER], repeat(b"x" * _MIB, 100)),
}


def figures() -> list[Figure]:
    """Parse each case in a separate process; the MB/s are of all of it, the start of Python included."""
    results = []
    with tempfile.TemporaryDirectory(prefix="reference-") as folder:
        for case, content in CASES.items():
            command = [sys.executable, "-m", "benchmarks.reference", case]
            usage = measure(command, {**os.environ, "PYTHONPATH": str(ROOT)}, Path(folder))
            size = sum(map(len, content()))
            target = "≥ 30" if case == "1 GiB of songs" else ""
            results += [
                Figure(PART, case, "MB/s", [size / 1e6 / usage.wall], target),
                *of_usages(PART, case, [usage]),
            ]
    return results


if __name__ == "__main__":
    with tempfile.TemporaryFile() as parquet:
        print(write_rows(CASES[sys.argv[1]](), Kind.SONGS, parquet))
