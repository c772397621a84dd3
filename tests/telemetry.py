"""The table of docs/telemetry.md, as tests read it."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "telemetry.md").read_text()
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


@dataclass(frozen=True)
class Told:
    """A metric of a service, with its unit."""

    service: str
    metric: str
    unit: str


@cache
def table() -> frozenset[Told]:
    """Every metric that the page promises, of each service that it names."""
    rows = _ROW.findall(PAGE)
    return frozenset(Told(service, name, unit) for name, unit, by in rows for service in by.strip().split(", "))


def emitted() -> set[tuple[str, str]]:
    """Metric and service of each row."""
    return {(each.metric, each.service) for each in table()}
