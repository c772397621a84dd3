"""The tables and charts of docs/performance.md, from benchmarks/results/: ``python -m benchmarks.results_page``."""

from collections.abc import Iterable

from benchmarks.blocks import DOCS, bars, table, with_blocks
from benchmarks.figures import Figure, read
from benchmarks.measure import ROOT

PAGE = "performance.md"
_RESULTS = ROOT / "benchmarks" / "results"


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
    return with_blocks(PAGE, arrivals, burst)


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
