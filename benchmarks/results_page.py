"""The tables and charts of docs/performance.md, from benchmarks/results/: ``python -m benchmarks.results_page``."""

from collections.abc import Iterable

from benchmarks.blocks import DOCS, bars, table, with_blocks
from benchmarks.figures import Figure, read
from benchmarks.measure import ROOT

PAGE = "performance.md"
_RESULTS = ROOT / "benchmarks" / "results"


def transform() -> str:
    """The transform as a whole process, beside others on the same files."""
    found = read(_RESULTS / "transform.json")
    cpu = {figure.case: figure.median for figure in found if figure.unit == "CPU s"}
    largest = max(cpu, key=lambda case: (int(case.split()[0].replace(",", "")), cpu[case])).partition(" rows")[0]
    others = {"music-streams": f"{largest} rows"} | {
        other: f"{largest} rows, {other}" for other in ("plain Spark", "DuckDB alone")
    }
    heights = {name: cpu[case] for name, case in others.items()}
    return "\n\n".join([_table(found), bars(f"{largest} rows", "CPU seconds", heights)])


def history() -> str:
    """One arrival on little and on much history."""
    return _table(read(_RESULTS / "history.json"))


def load() -> str:
    """The loading of items."""
    return _table(read(_RESULTS / "load.json"))


def validate() -> str:
    """The function that looks at each file first."""
    return _table(read(_RESULTS / "validate.json"))


def arrivals() -> str:
    """From PUT to PUBLISHED, and by stages."""
    found = read(_RESULTS / "arrivals.json")
    stages = {figure.case.strip(): figure.median for figure in found if figure.case.startswith(" ")}
    return "\n\n".join([_table(found), bars("one file of 11,346 rows, by stage", "seconds", stages)])


def burst() -> str:
    """A thousand files at once."""
    return _table(read(_RESULTS / "burst.json"))


def made() -> str:
    """The page with its blocks made anew."""
    return with_blocks(PAGE, transform, history, arrivals, burst, load, validate)


def _table(found: Iterable[Figure]) -> str:
    rows = []
    for figure in found:
        low, high = min(figure.values), max(figure.values)
        spread = f"{low:,.1f} … {high:,.1f}" if len(figure.values) > 1 else ""
        rows.append([figure.case.strip(), figure.unit, f"{figure.median:,.1f}", spread, figure.target])
    return table(["what", "unit", "median", "from … to", "target"], rows)


if __name__ == "__main__":
    (DOCS / PAGE).write_text(made(), "utf-8")
    print(f"written: docs/{PAGE}")
