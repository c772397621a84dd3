"""One arrival of 10,000 rows with histories of several sizes, on which its cost should not depend."""

from dataclasses import dataclass
from datetime import date, timedelta

from benchmarks.cloud import DAY, run_spark, run_transform, running_cloud, stage, streams
from benchmarks.figures import Figure, of_usages, ratio
from benchmarks.measure import ROOT, Usage

PART = "history"
_TIMES = 3
_ROWS = 10_000


@dataclass(frozen=True)
class History:
    """The listens in the lake before the arrival."""

    days: int
    rows_a_day: int

    @property
    def case(self) -> str:
        """The label of the figures."""
        return f"{_ROWS:,} rows on {self.days * self.rows_a_day:,} of {self.days:,} days"


def figures() -> list[Figure]:
    """Measure each history in its own lake."""
    histories = (History(100, 10_000), History(1_000, 10_000), History(100, 100_000))
    small, long, dense = (of_usages(PART, history.case, _arrivals(history)) for history in histories)
    at_more_days = ratio(PART, "CPU at ten times the days", long[0], small[0], "≤ 1.15")
    return [*small, *long, *dense, at_more_days, ratio(PART, "CPU at ten times the rows a day", dense[0], small[0])]


def _arrivals(history: History) -> list[Usage]:
    content = streams(_ROWS)
    first = DAY - timedelta(days=history.days - 1)
    with running_cloud() as stack:
        run_transform(stack, stage(stack, 1, streams(100)), "reference")  # creates the tables
        arguments = {"--first": str(first), "--days": str(history.days), "--rows": str(history.rows_a_day)}
        run_spark(stack, ROOT / "benchmarks" / "fill_lake.py", arguments)
        return [
            run_transform(stack, stage(stack, 10 + n, _on(DAY - timedelta(days=7 * (n + 1)), content)), f"run-{n}")
            for n in range(_TIMES)
        ]


def _on(day: date, content: bytes) -> bytes:
    return content.replace(str(DAY).encode(), str(day).encode())
