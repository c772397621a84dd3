"""How large a Spark run should be, from what it is to read (docs/decisions/020-a-run-is-sized-by-its-manifest.md).

Workers are a ceiling: with auto scaling Glue takes fewer where a run has no use for them, and bills what it took.
"""

import math
from dataclasses import dataclass

from music_streams.state.run_files import Manifest

BYTES_PER_SECOND = 2 * 1024 * 1024
"""What one executor gets through of streams files, uncompressed: judged, committed, their own rows aggregated. It is
somewhat more than benchmarks/units.py measures, on a machine whose Java does not optimise for long runs."""
FIXED_SECONDS = 30
"""What a run takes with nothing to read: Spark's start, reference data, commits."""
GZIP_RATIO = 3
"""Bytes of a streams file for one of its gzip."""
CORES = 4
"""Of a G.1X worker."""
SMALL = 32 * 1024 * 1024
"""Bytes that one task gets through sooner than several could be told about them."""


@dataclass(frozen=True)
class Bounds:
    """Least and most workers of a run, its driver among them: parameters of the template."""

    least: int = 2
    most: int = 10


def input_bytes(manifest: Manifest) -> int:
    """The bytes that Spark reads of a manifest's staged files, uncompressed; those of gzip are an estimate."""
    return sum(source.size * (GZIP_RATIO if source.input.endswith(".gz") else 1) for source in manifest.streams)


def workers_for(manifest: Manifest, bounds: Bounds) -> int:
    """How many workers of G.1X, the driver among them, the run that takes a manifest may have.

    Executors that share the work end sooner and keep the driver for less time, but each is paid for the fixed part too:
    cheapest are √(work of one executor / fixed part). What is to be recomputed or forgotten no manifest can
    tell the bytes of: such a run may have all workers.
    """
    read = input_bytes(manifest)
    of_history = bool(manifest.days or manifest.forget)
    executors = round(math.sqrt(read / BYTES_PER_SECOND / FIXED_SECONDS))
    return bounds.most if of_history else min(max(1 + executors, bounds.least), bounds.most)
