"""The transform as a separate process, compared with DuckDB and a plain Spark script on the same files."""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.cloud import CATALOGUE, run_transform, running_cloud, stage, streams
from benchmarks.figures import Figure, of_usages, ratio
from benchmarks.measure import ROOT, Usage, measure
from local.spark import installed_spark

PART = "transform"
SIZES = {11_346: (5, "≤ 9"), 1_000_000: (3, "≤ 25"), 10_000_000: (1, "≤ 110")}  # rows: repetitions, target
_PLAIN_TIMES = 1


def figures() -> list[Figure]:
    """Measure each size in its own cloud."""
    found: list[Figure] = []
    for rows, (times, target) in SIZES.items():
        content = streams(rows)
        with running_cloud() as stack:
            run_transform(stack, stage(stack, 1, streams(100)), "reference")  # caches the reference data
            ours = [run_transform(stack, stage(stack, 10 + n, content), f"run-{n}") for n in range(times)]
        with tempfile.TemporaryDirectory(prefix="compared-") as name:
            folder = _local_copies(Path(name), content)
            duckdb = [_compare("duckdb_count.py", folder) for _ in range(times)]
            plain = [_compare("plain_spark.py", folder) for _ in range(_PLAIN_TIMES)]
        case = f"{rows:,} rows"
        cpu, wall, peak = of_usages(PART, case, ours, target)
        [of_duckdb, *_] = of_usages(PART, f"{case}, DuckDB alone", duckdb)
        [of_plain, *_] = of_usages(PART, f"{case}, plain Spark", plain)
        found += [cpu, wall, peak, of_duckdb, of_plain]
        found += [ratio(PART, f"{case}: music-streams CPU / DuckDB CPU", cpu, of_duckdb)]
        found += [ratio(PART, f"{case}: music-streams CPU / plain Spark CPU", cpu, of_plain)]
    return found


def _local_copies(folder: Path, content: bytes) -> Path:
    for name, data in (("streams", content), ("songs", CATALOGUE.songs), ("users", CATALOGUE.users)):
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def _compare(script: str, folder: Path) -> Usage:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAVA_HOME": str(installed_spark().java_home)}
    return measure([sys.executable, str(ROOT / "benchmarks" / script), str(folder)], environment, folder)
