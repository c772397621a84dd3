"""Values counted and measured on the pipeline: measured.toml, which benchmarks/units.py writes."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from music_streams.cost.units import Unit, Units

FILE = Path(__file__).parent / "measured.toml"


@dataclass(frozen=True)
class JobFigures:
    """Figures of job runs: durations on the machine that measured them, and sizes of what they read and write.

    Attributes:
        transform_fixed, load_fixed: seconds of a run with almost no rows.
        cpu_per_million_rows_read: CPU seconds for rows of new files: classified, enriched, committed.
        cpu_per_million_rows_recomputed: CPU seconds for rows of the touched days: read again and aggregated.
        bytes_per_row: size of a row of a streams file.
        items_per_day: number of a day's items in MetricsTable.
        write_units_per_item, write_units_per_fence: for such an item with its index, and for a day's fence.
    """

    transform_fixed: Decimal
    cpu_per_million_rows_read: Decimal
    cpu_per_million_rows_recomputed: Decimal
    load_fixed: Decimal
    bytes_per_row: Decimal
    items_per_day: Decimal
    write_units_per_item: Decimal
    write_units_per_fence: Decimal


@dataclass(frozen=True)
class Measured:
    """All counted and measured values.

    Attributes:
        calls: calls of AWS, by ``<function>`` for a run and ``<function>_file`` for each of its files; for the load
            also ``load_day`` for each day, without its items.
        transitions: state transitions of an execution without retries.
        alarm_metrics: number of metrics that the template's alarms evaluate.
        keys: number of KMS keys in the template.
    """

    calls: Mapping[str, Mapping[str, Decimal]]
    transitions: Decimal
    alarm_metrics: Decimal
    keys: Decimal
    job_figures: JobFigures

    def calls_of(self, function: str, part: str, count: Decimal | int) -> Decimal:
        """Return the calls of a function in a run of `count` files (``file``) or days (``day``)."""
        return self._of(function, "calls") + self._of(f"{function}_{part}", "calls") * count

    def units_of(self, function: str, part: str, count: Decimal | int) -> Units:
        """Return the units of these calls that are billed."""
        return {
            unit: self._of(function, unit) + self._of(f"{function}_{part}", unit) * count
            for unit in Unit
            if unit in self.calls.get(function, {}) or unit in self.calls.get(f"{function}_{part}", {})
        }

    def _of(self, name: str, unit: str) -> Decimal:
        return self.calls.get(name, {}).get(unit, Decimal(0))


@cache
def read() -> Measured:
    """Read the package's measured.toml."""
    content = tomllib.loads(FILE.read_text("utf-8"), parse_float=Decimal)
    return Measured(
        calls={
            name: {unit: Decimal(count) for unit, count in units.items()} for name, units in content["calls"].items()
        },
        job_figures=JobFigures(**{name: Decimal(value) for name, value in content["job_figures"].items()}),
        **{name: Decimal(count) for name, count in content["template"].items()},
    )
