"""Charts as data: what a page draws with Chart.js, tells in a sentence, and lists in a table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from music_streams import display
from music_streams.reconcile.records import STAGES, DayRecord, Percentiles

Value = int | float | None
_REASONS = 5
_PERCENTILES = ("p50", "p95", "p99")


@dataclass(frozen=True)
class Series:
    """One row of values.

    Attributes:
        style: what tells it from others without colour: a number for its dashes or its pattern, ``ground`` for bars
            behind a line, ``limit`` for a line that others are held against.
        kind: ``bar`` or ``line``.
    """

    name: str
    values: Sequence[Value]
    style: int | str
    kind: str = "bar"


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        summary: what is to be seen in it, for those who do not see it.
        unit: of the values: ``files``, ``rows``, ``%`` or ``s``.
        corner: of the table of its numbers.
        top: the greatest value of the axis, where it is fixed.
    """

    name: str
    title: str
    summary: str
    unit: str
    corner: str
    labels: Sequence[str]
    series: Sequence[Series]
    stacked: bool = False
    top: float | None = None
    ticks: Sequence[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        values = [value for each in self.series if each.style != "limit" for value in each.values if value is not None]
        return not values if self.unit == "%" else not any(values)


def arrivals_by_day(records: Sequence[DayRecord]) -> Chart:
    """Files that arrived on each day, and how many of them were published."""
    published = [sum(record.published_by_hour) for record in records]
    total = sum(record.arrivals for record in records)
    busiest = max(records, key=lambda record: record.arrivals)
    summary = f"No file arrived in {len(records)} days."
    if total:
        summary = f"{display.plural(total, 'file')} arrived in {len(records)} days, {sum(published):,} of them were "
        summary += f"published; the busiest day was {busiest.day} with {busiest.arrivals:,}."
    arrived = Series("arrived", [record.arrivals for record in records], "ground")
    series = [arrived, Series("of these published", published, 0, "line")]
    return _by_day("arrivals", "Arrivals and publications by day", summary, "files", records, series)


def today_by_hour(record: DayRecord, hour: int) -> Chart:
    """Files that arrived in each hour of today until now, and when they were published."""
    publications = display.plural(sum(record.published_by_hour), "publication")
    summary = f"{display.plural(record.arrivals, 'file')} arrived today, {publications}."
    hours = [f"{each:02}:00" for each in range(hour + 1)]
    arrived = Series("arrived", record.arrivals_by_hour[: hour + 1], "ground")
    published = Series("published", record.published_by_hour[: hour + 1], 0, "line")
    return Chart("today", "Today by hour (UTC)", summary, "files", "Hour", hours, [arrived, published])


def rows_by_day(records: Sequence[DayRecord]) -> Chart:
    """Rejected rows by reason, stacked on the accepted ones."""
    reasons = _reasons(records)
    series = [Series("accepted", [record.rows_accepted for record in records], 0), *_rejected(records, reasons)]
    read, rejected = sum(record.rows_read for record in records), reasons.total()
    share = f" ({100 * rejected / read:.2f} %)" if read else ""
    summary = f"Of {read:,} rows read {rejected:,} were rejected{share}."
    return _by_day("rows", "Rows accepted, and rejected by reason", summary, "rows", records, series, stacked=True)


def rejects_by_day(records: Sequence[DayRecord]) -> Chart:
    """The rejected rows alone: beside the accepted ones they may be too few to be seen."""
    reasons = _reasons(records)
    summary = f"{display.plural(reasons.total(), 'row')} rejected: {display.counts(dict(reasons)) or 'none'}."
    series = _rejected(records, reasons)
    return _by_day("rejects", "Rejected rows alone", summary, "rows", records, series, stacked=True)


def attainment_by_day(records: Sequence[DayRecord]) -> Chart:
    """The share of files that kept the promise, on each day."""
    shares = [None if (share := record.attainment) is None else round(100 * share, 2) for record in records]
    due, met = sum(record.due for record in records), sum(record.met for record in records)
    told = f"{met:,} of {due:,} files ({100 * met / due:.1f} %) were published in time" if due else "No file was due"
    known = [(share, record.day) for share, record in zip(shares, records, strict=True) if share is not None]
    worst, day = min(known, default=(None, ""))
    summary = f"{told}." if worst is None else f"{told}; the worst day was {day} with {worst:.1f} %."
    series = [Series("published in time", shares, 0, "line")]
    return _by_day("attainment", "Files published in time", summary, "%", records, series, top=100)


def time_by_day(records: Sequence[DayRecord], target_seconds: float) -> Chart:
    """The time from arrival until the metrics stood, on each day, against the promise."""
    last = next((record for record in reversed(records) if record.to_published), None)
    told = "No file was published"
    if last and last.to_published:
        found = ", ".join(f"{name} {_span(getattr(last.to_published, name))}" for name in _PERCENTILES)
        told = f"On {last.day}: {found}"
    series = [_percentile(name, records, lambda record: record.to_published) for name in _PERCENTILES]
    limit = Series(f"promise ({display.span(target_seconds)})", [target_seconds] * len(records), "limit", "line")
    title = "Seconds from arrival until the metrics stand"
    return _by_day("latency", title, f"{told}.", "s", records, [*series, limit])


def stages_of_day(record: DayRecord) -> Chart:
    """What each step took on a day."""
    names = [stage for stage in STAGES if stage in record.stages]
    found = [record.stages[stage] for stage in names]
    longest = max(names, key=lambda stage: record.stages[stage].p50, default="")
    summary = f"Most of the time passed until {longest}: half of the files took {_span(record.stages[longest].p50)}."
    series = [Series(name, [getattr(each, name) for each in found], number) for number, name in enumerate(_PERCENTILES)]
    return Chart("stages", f"Seconds until each step, {record.day}", summary, "s", "Step", names, series)


def stages_by_day(records: Sequence[DayRecord]) -> Chart:
    """The 95th percentile of each step, on each day."""
    series = [
        Series(
            stage, [found.p95 if (found := record.stages.get(stage)) else None for record in records], number, "line"
        )
        for number, stage in enumerate(STAGES)
    ]
    summary = "95 % of the files took no longer than this for each step."
    return _by_day("stage-days", "p95 of each step by day", summary, "s", records, series)


def _reasons(records: Sequence[DayRecord]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(record.rejected)
    return reasons


def _rejected(records: Sequence[DayRecord], reasons: Counter[str]) -> list[Series]:
    """A series for each of the main reasons, and one for all others."""
    shown = [reason for reason, _ in reasons.most_common(_REASONS)]
    series = [
        Series(reason, [record.rejected.get(reason, 0) for record in records], number)
        for number, reason in enumerate(shown, start=1)
    ]
    if others := reasons.keys() - set(shown):
        values = [sum(record.rejected.get(reason, 0) for reason in others) for record in records]
        series.append(Series(display.plural(len(others), "other reason"), values, len(shown) + 1))
    return series


def _percentile(name: str, records: Sequence[DayRecord], of: Callable[[DayRecord], Percentiles | None]) -> Series:
    values = [getattr(found, name) if (found := of(record)) else None for record in records]
    return Series(name, values, _PERCENTILES.index(name), "line")


def _by_day(
    name: str,
    title: str,
    summary: str,
    unit: str,
    records: Sequence[DayRecord],
    series: Sequence[Series],
    *,
    stacked: bool = False,
    top: float | None = None,
) -> Chart:
    labels = [record.day for record in records]
    return Chart(name, title, summary, unit, "Day", labels, series, stacked, top, [label[5:] for label in labels])


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 600 else display.span(seconds)
