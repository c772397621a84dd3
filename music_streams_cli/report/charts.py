"""The geometry of the charts that ``charts.svg.j2`` draws.

Horizontal values are in percent, so that charts fit any screen and their text keeps its size; vertical values are in
pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

STAGES = ("arrival to validated", "to run started", "to published", "to archived")
_COLUMN_SLOTS = 7  # fewer columns are drawn as wide as this many


@dataclass(frozen=True)
class Bar:
    """A horizontal bar; `width` is in percent of the longest bar, `share` in percent of the total."""

    label: str
    value: int
    width: float
    share: float


@dataclass(frozen=True)
class Column:
    """The column of a day; `left` and `width` in percent, `height` in pixels."""

    day: date
    value: int
    left: float
    width: float
    height: float
    is_chosen: bool
    starts_month: bool

    @property
    def middle(self) -> float:
        """Return the centre of its labels in percent."""
        return round(self.left + self.width / 2, 3)


@dataclass(frozen=True)
class Segment:
    """The bar of a stage; `stage` counts from 0, `left` and `width` in percent."""

    stage: int
    seconds: float
    left: float
    width: float


@dataclass(frozen=True)
class Timeline:
    """The stages of one file."""

    label: str
    seconds: float
    segments: list[Segment]


def bars(values: Sequence[tuple[str, int]], total: int) -> list[Bar]:
    """Return one bar per value, in their order."""
    greatest = max((value for _, value in values), default=0)
    return [Bar(label, value, _percent(value, greatest), _percent(value, total)) for label, value in values]


def columns(values: Sequence[tuple[date, int]], chosen: date, height: float) -> list[Column]:
    """Return one column per day; the highest is `height` pixels high."""
    greatest = max((value for _, value in values), default=0)
    slot = 100 / max(len(values), _COLUMN_SLOTS)
    months = [None, *((day.year, day.month) for day, _ in values)]
    return [
        Column(
            day=day,
            value=value,
            left=round(slot * (n + 0.12), 3),
            width=round(slot * 0.76, 3),
            height=round(height * value / greatest, 1) if greatest else 0.0,
            is_chosen=day == chosen,
            starts_month=months[n] != months[n + 1],
        )
        for n, (day, value) in enumerate(values)
    ]


def timelines(files: Sequence[tuple[str, Sequence[float]]]) -> list[Timeline]:
    """Return one bar per file (label, seconds by stage), scaled to the slowest file."""
    slowest = max((sum(stages) for _, stages in files), default=0.0)
    return [Timeline(label, sum(stages), _segments(stages, slowest)) for label, stages in files]


def _segments(stages: Sequence[float], slowest: float) -> list[Segment]:
    return [
        Segment(n, seconds, _percent(sum(stages[:n]), slowest), _percent(seconds, slowest))
        for n, seconds in enumerate(stages)
    ]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3) if whole else 0.0
