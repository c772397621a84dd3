"""Numbers as shapes: where each bar begins and how long it is, for ``charts.svg.j2`` to draw.

Across, everything is in percent, so that charts fit a phone as well as a wide screen and their text keeps its size;
down it is in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

STAGES = ("arrival to judged", "to run started", "to published", "to archived")
_COLUMN_SLOTS = 7  # fewer columns are not drawn wider than so many would be


@dataclass(frozen=True)
class Bar:
    """A horizontal bar; `width` is percent of the greatest, `share` percent of the whole."""

    label: str
    value: int
    width: float
    share: float


@dataclass(frozen=True)
class Column:
    """A day; `left` and `width` in percent, `height` in pixels."""

    day: date
    value: int
    left: float
    width: float
    height: float
    is_chosen: bool
    starts_month: bool

    @property
    def middle(self) -> float:
        """Where its labels are centred, percent."""
        return round(self.left + self.width / 2, 3)


@dataclass(frozen=True)
class Segment:
    """A stage; `stage` counts from 0, `left` and `width` in percent."""

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


def bars(values: Sequence[tuple[str, int]], whole: int) -> list[Bar]:
    """A bar a value, in their order."""
    greatest = max((value for _, value in values), default=0)
    return [Bar(label, value, _percent(value, greatest), _percent(value, whole)) for label, value in values]


def columns(values: Sequence[tuple[date, int]], chosen: date, height: float) -> list[Column]:
    """A column a day; the greatest is `height` pixels high."""
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
    """A bar a file (label, seconds by stage), all to the scale of the slowest."""
    slowest = max((sum(stages) for _, stages in files), default=0.0)
    return [Timeline(label, sum(stages), _segments(stages, slowest)) for label, stages in files]


def _segments(stages: Sequence[float], slowest: float) -> list[Segment]:
    return [
        Segment(n, seconds, _percent(sum(stages[:n]), slowest), _percent(seconds, slowest))
        for n, seconds in enumerate(stages)
    ]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3) if whole else 0.0
