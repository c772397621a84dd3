"""Writes tables and charts of benchmarks/results/ to docs/: ``python -m benchmarks.results_page``."""

import json
import statistics
from collections.abc import Callable, Iterable

from benchmarks.blocks import Pages, bars, table, write
from benchmarks.figures import Figure, read
from benchmarks.measure import ROOT

_RESULTS = ROOT / "benchmarks" / "results"


def transform() -> str:
    """Return table and chart of the transform, compared with others on the same files."""
    figures = read(_RESULTS / "transform.json")
    ours, duckdb, spark = [figure for figure in figures if figure.unit == "CPU s"][-3:]  # of the largest file
    heights = {"music-streams": ours.median, "plain Spark": spark.median, "DuckDB alone": duckdb.median}
    return "\n\n".join([_table(figures), bars(ours.case, "CPU seconds", heights)])


def arrivals() -> str:
    """Return table and chart of the time from PUT to PUBLISHED, by stages."""
    figures = read(_RESULTS / "arrivals.json")
    stages = {figure.case.strip(): figure.median for figure in figures if figure.case.startswith(" ")}
    return "\n\n".join([_table(figures), bars("one file of 11,346 rows, by stage", "seconds", stages)])


def growth() -> str:
    """Return table and chart of the maintained lake after many arrivals."""
    points = json.loads((_RESULTS / "growth-every-250.json").read_text("utf-8"))
    medians = [{step: statistics.median(took) for step, took in point["seconds"].items()} for point in points]
    steps = list(medians[0])
    rows = [
        [f"{point['arrivals']:,}", f"{point['data_files']:,}", f"{point['snapshots']:,}"]
        + [f"{point['metadata_bytes'] / 1000:,.0f} kB"]
        + [f"{of_point[step]:.2f} s, {of_point[step] / medians[0][step]:.1f}×" for step in steps]
        for point, of_point in zip(points, medians, strict=True)
    ]
    every_run = {row[0]: sum(of_point[step] for step in steps[:3]) for row, of_point in zip(rows, medians, strict=True)}
    heads = ["arrivals", "data files", "snapshots", "metadata file", *steps]
    return "\n\n".join([table(heads, rows), bars(f"{', '.join(steps[:3])}, by arrivals", "seconds", every_run)])


def _results(part: str) -> Callable[[], str]:
    return lambda: _table(read(_RESULTS / f"{part}.json"))


def _table(figures: Iterable[Figure]) -> str:
    rows = []
    for figure in figures:
        digits = ".2f" if figure.unit == "×" else ",.1f"
        least, median, greatest = (
            format(value, digits) for value in (min(figure.values), figure.median, max(figure.values))
        )
        spread = f"{least} … {greatest}" if len(figure.values) > 1 else ""
        rows.append([figure.case.strip(), figure.unit, median, spread, figure.target])
    return table(["measurement", "unit", "median", "from … to", "target"], rows)


PAGES: Pages = {
    "performance.md": {
        "transform": transform,
        "history": _results("history"),
        "arrivals": arrivals,
        **{part: _results(part) for part in ("burst", "load", "validate", "reference")},
    },
    "maintenance.md": {"growth": growth},
}
"""The pages with results, and the blocks of each."""

if __name__ == "__main__":
    write(PAGES)
