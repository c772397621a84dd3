"""The table of metrics in docs/telemetry.md, parsed for tests."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "telemetry.md").read_text()
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


@dataclass(frozen=True)
class MetricRow:
    """A metric of a service, with its unit."""

    service: str
    metric: str
    unit: str


@cache
def table() -> frozenset[MetricRow]:
    """Return every documented metric, once for each service that emits it."""
    rows = _ROW.findall(PAGE)
    return frozenset(MetricRow(service, name, unit) for name, unit, by in rows for service in by.strip().split(", "))


def documented_metrics() -> set[tuple[str, str]]:
    """Return metric and service of each row."""
    return {(row.metric, row.service) for row in table()}
