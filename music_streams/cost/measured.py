"""What was counted and measured of the pipeline: measured.toml, which benchmarks/units.py writes."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from music_streams.cost.units import Unit, Units

FILE = Path(__file__).parent / "measured.toml"


@dataclass(frozen=True)
class Seconds:
    """What job runs take on the machine where it was measured, and how large what they write is.

    Attributes:
        transform_fixed, load_fixed: seconds with next to nothing to do.
        cpu_per_million_rows_read: CPU seconds for rows of new files: judged, enriched, committed.
        cpu_per_million_rows_recomputed: CPU seconds for rows of the touched days: read again, aggregated.
        bytes_per_row: of a streams file.
        items_per_day: items of MetricsTable that a day has.
        write_units_per_item, write_units_per_fence: of such an item with its index, of a day's fence.
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
    """All of it.

    Attributes:
        calls: what functions ask of AWS, by ``<function>`` for a run and ``<function>_file`` for each of its files,
            and for the load ``load_day`` for each day, its items left out.
        transitions: of an execution that goes straight through.
        alarm_metrics: that the template's alarms look at.
        keys: of KMS in the template.
    """

    calls: Mapping[str, Mapping[str, Decimal]]
    transitions: Decimal
    alarm_metrics: Decimal
    keys: Decimal
    seconds: Seconds

    def calls_of(self, function: str, part: str, count: Decimal | int) -> Decimal:
        """All calls that a function makes for a run with so many files (``file``) or days (``day``)."""
        return self._of(function, "calls") + self._of(f"{function}_{part}", "calls") * count

    def units_of(self, function: str, part: str, count: Decimal | int) -> Units:
        """What of them is billed by the call."""
        return {
            unit: self._of(function, unit) + self._of(f"{function}_{part}", unit) * count
            for unit in Unit
            if unit in self.calls.get(function, {}) or unit in self.calls.get(f"{function}_{part}", {})
        }

    def _of(self, name: str, unit: str) -> Decimal:
        return self.calls.get(name, {}).get(unit, Decimal(0))


@cache
def read() -> Measured:
    """What the package comes with."""
    told = tomllib.loads(FILE.read_text("utf-8"), parse_float=Decimal)
    return Measured(
        calls={name: {unit: Decimal(count) for unit, count in each.items()} for name, each in told["calls"].items()},
        seconds=Seconds(**{name: Decimal(value) for name, value in told["seconds"].items()}),
        **{name: Decimal(count) for name, count in told["template"].items()},
    )
