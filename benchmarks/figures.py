"""The results of benchmarks: figures, their table and their file."""

import json
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Usage


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes:
        part: the benchmark.
        case: what was measured.
        unit: of the values.
        values: one for each repetition.
        target: the limit that readers compare with, '' for none. Exceeding it is not a failure.
    """

    part: str
    case: str
    unit: str
    values: list[float]
    target: str = ""

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)


def of_usages(part: str, case: str, usages: Iterable[Usage], target: str = "") -> list[Figure]:
    """Return the three figures of repeated runs of a command; the target is for CPU seconds."""
    runs = list(usages)
    return [
        Figure(part, case, "CPU s", [run.cpu for run in runs], target),
        Figure(part, case, "wall s", [run.wall for run in runs]),
        Figure(part, case, "peak MB", [run.peak_mb for run in runs]),
    ]


def ratio(part: str, case: str, of: Figure, to: Figure, target: str = "") -> Figure:
    """Return the ratio of two medians."""
    return Figure(part, case, "×", [of.median / to.median], target)


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print a table."""
    table = Table("part", "case", "unit", "median", "from … to", "runs", "target", box=None, header_style="bold")
    for column in table.columns[3:6]:
        column.justify = "right"
    last = ""
    for figure in figures:
        low, high, runs = min(figure.values), max(figure.values), len(figure.values)
        spread = f"{low:,.2f} … {high:,.2f}" if runs > 1 else ""
        part = "" if figure.part == last else figure.part
        last = figure.part
        table.add_row(part, figure.case, figure.unit, f"{figure.median:,.2f}", spread, str(runs), figure.target)
    console.print(table)


def write(figures: Iterable[Figure], file: Path) -> None:
    """Write all values as JSON, with the machine."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
    }
    results = {"machine": machine, "figures": [{**asdict(figure), "median": figure.median} for figure in figures]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


def read(file: Path) -> list[Figure]:
    """Read a file of :func:`write`."""
    figures = json.loads(file.read_text("utf-8"))["figures"]
    return [Figure(**{name: value for name, value in figure.items() if name != "median"}) for figure in figures]
