"""What benchmarks tell: figures, their table and their file."""

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
    """One thing measured.

    Attributes:
        part: the benchmark that it comes from.
        case: what was measured.
        unit: of the values.
        values: one a repetition.
        target: what it is to stay under, for people; '' for none. Nothing fails by it.
    """

    part: str
    case: str
    unit: str
    values: list[float]
    target: str = ""

    @property
    def median(self) -> float:
        """Of the values."""
        return statistics.median(self.values)


def of_usages(part: str, case: str, usages: Iterable[Usage], target: str = "") -> list[Figure]:
    """The three figures of a command that was run several times; the target is for its CPU seconds."""
    runs = list(usages)
    return [
        Figure(part, case, "CPU s", [run.cpu for run in runs], target),
        Figure(part, case, "wall s", [run.wall for run in runs]),
        Figure(part, case, "peak MB", [run.peak_mb for run in runs]),
    ]


def ratio(part: str, case: str, of: Figure, to: Figure, target: str = "") -> Figure:
    """How many times one median is another."""
    return Figure(part, case, "×", [of.median / to.median], target)


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print one table."""
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
    """Write all values as JSON, with what they were measured on."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
    }
    told = {"machine": machine, "figures": [{**asdict(figure), "median": figure.median} for figure in figures]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def read(file: Path) -> list[Figure]:
    """What :func:`write` has written."""
    told = json.loads(file.read_text("utf-8"))["figures"]
    return [Figure(**{name: value for name, value in each.items() if name != "median"}) for each in told]
