"""The size of a Spark run, from the bytes of its manifest (docs/decisions/020-a-run-is-sized-by-its-manifest.md).

The number of workers is a maximum: with auto scaling, Glue starts fewer if a run does not need them, and bills those.
"""

import math
from dataclasses import dataclass

from music_streams.state.run_files import Manifest

BYTES_PER_SECOND = 2 * 1024 * 1024
"""Throughput of one executor: uncompressed bytes of streams files classified, committed and aggregated. It is somewhat
more than benchmarks/units.py measures, on a machine whose Java does not optimise for long runs."""
FIXED_SECONDS = 30
"""Duration of a run with nothing to read: Spark's start, reference data, commits."""
GZIP_RATIO = 3
"""Uncompressed bytes of a streams file for each byte of gzip."""
CORES = 4
"""Cores of a G.1X worker."""
SMALL = 32 * 1024 * 1024
"""Bytes up to which one task is faster than several, because of the time to distribute them."""


@dataclass(frozen=True)
class Bounds:
    """Fewest and most workers of a run, its driver included: parameters of the template."""

    least: int = 2
    most: int = 10


def input_bytes(manifest: Manifest) -> int:
    """Return the uncompressed bytes of a manifest's staged files that Spark reads; for gzip it is an estimate."""
    return sum(source.size * (GZIP_RATIO if source.input.endswith(".gz") else 1) for source in manifest.streams)


def workers_for(manifest: Manifest, bounds: Bounds) -> int:
    """Return the maximum number of G.1X workers, the driver included, of the run that processes a manifest.

    With more executors a run ends sooner and pays less for the driver, but pays each executor for the fixed part too:
    √(time of one executor / fixed part) executors cost least. A manifest does not say how many bytes must be read to
    recompute days or to forget users: such a run may have all workers.
    """
    size = input_bytes(manifest)
    reads_lake = bool(manifest.days or manifest.forget)
    executors = round(math.sqrt(size / BYTES_PER_SECOND / FIXED_SECONDS))
    return bounds.most if reads_lake else min(max(1 + executors, bounds.least), bounds.most)
