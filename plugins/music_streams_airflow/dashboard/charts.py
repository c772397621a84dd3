"""Charts as data, which a page draws with Chart.js, summarizes in a sentence, and lists in a table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from music_streams import display
from music_streams.reconcile.records import STAGES, DayRecord, Percentiles

Value = int | float | None
_REASONS = 5
_PERCENTILES = ("p50", "p95", "p99")
_LABELS = {"judged": "validated"}  # codespell:ignore judged - its name in stored records


@dataclass(frozen=True)
class Series:
    """A series of values.

    Attributes:
        style: how it differs from others without colour: a number for its dashes or pattern, ``ground`` for bars behind
            a line, ``limit`` for the line of a limit.
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
        summary: its content in a sentence, also for screen readers.
        unit: ``files``, ``rows``, ``%`` or ``s``.
        corner: heading of the table's first column.
        top: the greatest value of the axis, if it is fixed.
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
        """Return the chart for the page's script."""
        return asdict(self)

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to draw."""
        drawn = [series for series in self.series if series.style != "limit"]
        values = [value for series in drawn for value in series.values if value is not None]
        return not values if self.unit == "%" else not any(values)


def arrivals_by_day(records: Sequence[DayRecord]) -> Chart:
    """Return the files that arrived on each day, and how many of them were published."""
    published = [sum(record.published_by_hour) for record in records]
    total = sum(record.arrivals for record in records)
    busiest = max(records, key=lambda record: record.arrivals)
    summary = f"No file arrived in {len(records)} days."
    if total:
        summary = f"{display.plural(total, 'file')} arrived in {len(records)} days, {sum(published):,} of them were "
        summary += f"published; the busiest day was {busiest.day} with {busiest.arrivals:,}."
    arrived = Series("arrived", [record.arrivals for record in records], "ground")
    series = [arrived, Series("of which published", published, 0, "line")]
    return _by_day("arrivals", "Arrivals and publications by day", summary, "files", records, series)


def today_by_hour(record: DayRecord, hour: int) -> Chart:
    """Return the files that arrived and that were published in each hour of today."""
    publications = display.plural(sum(record.published_by_hour), "publication")
    summary = f"{display.plural(record.arrivals, 'file')} arrived today, {publications}."
    hours = [f"{past:02}:00" for past in range(hour + 1)]
    arrived = Series("arrived", record.arrivals_by_hour[: hour + 1], "ground")
    published = Series("published", record.published_by_hour[: hour + 1], 0, "line")
    return Chart("today", "Today by hour (UTC)", summary, "files", "Hour", hours, [arrived, published])


def rows_by_day(records: Sequence[DayRecord]) -> Chart:
    """Return rejected rows by reason, stacked on the accepted ones."""
    reasons = _reasons(records)
    series = [Series("accepted", [record.rows_accepted for record in records], 0), *_rejected(records, reasons)]
    read, rejected = sum(record.rows_read for record in records), reasons.total()
    share = f" ({100 * rejected / read:.2f} %)" if read else ""
    summary = f"{rejected:,} of {read:,} rows were rejected{share}."
    return _by_day("rows", "Accepted rows, and rejected rows by reason", summary, "rows", records, series, stacked=True)


def rejects_by_day(records: Sequence[DayRecord]) -> Chart:
    """Return the rejected rows only, which may be too few to be visible above the accepted ones."""
    reasons = _reasons(records)
    summary = f"{display.plural(reasons.total(), 'row')} rejected: {display.counts(dict(reasons)) or 'none'}."
    series = _rejected(records, reasons)
    return _by_day("rejects", "Rejected rows only", summary, "rows", records, series, stacked=True)


def attainment_by_day(records: Sequence[DayRecord]) -> Chart:
    """Return the share of files that met the latency SLA, on each day."""
    shares = [None if (share := record.attainment) is None else round(100 * share, 2) for record in records]
    due, met = sum(record.due for record in records), sum(record.met for record in records)
    total = f"{met:,} of {due:,} files ({100 * met / due:.1f} %) met the latency SLA" if due else "No file was due"
    known = [(share, record.day) for share, record in zip(shares, records, strict=True) if share is not None]
    worst, day = min(known, default=(None, ""))
    summary = f"{total}." if worst is None else f"{total}; the worst day was {day} with {worst:.1f} %."
    series = [Series("within SLA", shares, 0, "line")]
    return _by_day("attainment", "SLA attainment", summary, "%", records, series, top=100)


def time_by_day(records: Sequence[DayRecord], target_seconds: float) -> Chart:
    """Return the time from arrival to publication on each day, and the latency SLA."""
    last = next((record for record in reversed(records) if record.to_published), None)
    figures = "No file was published"
    if last and last.to_published:
        values = (f"{name} {_span(getattr(last.to_published, name))}" for name in _PERCENTILES)
        figures = f"On {last.day}: {', '.join(values)}"
    series = [_percentile(name, records, lambda record: record.to_published) for name in _PERCENTILES]
    limit = Series(f"latency SLA ({display.span(target_seconds)})", [target_seconds] * len(records), "limit", "line")
    title = "Seconds from arrival to publication"
    return _by_day("latency", title, f"{figures}.", "s", records, [*series, limit])


def stages_of_day(record: DayRecord) -> Chart:
    """Return the time that each step took on a day."""
    names = [stage for stage in STAGES if stage in record.stages]
    percentiles = [record.stages[stage] for stage in names]
    longest = max(names, key=lambda stage: record.stages[stage].p50, default="")
    summary = (
        f"The longest step is {_label(longest)}: half of the files took at most {_span(record.stages[longest].p50)}."
    )
    series = [
        Series(name, [getattr(step, name) for step in percentiles], number) for number, name in enumerate(_PERCENTILES)
    ]
    labels = [_label(stage) for stage in names]
    return Chart("stages", f"Seconds in each step, {record.day}", summary, "s", "Step", labels, series)


def stages_by_day(records: Sequence[DayRecord]) -> Chart:
    """Return the 95th percentile of each step, on each day."""
    series = [
        Series(
            _label(stage),
            [step.p95 if (step := record.stages.get(stage)) else None for record in records],
            number,
            "line",
        )
        for number, stage in enumerate(STAGES)
    ]
    summary = "95 % of the files took at most this long in each step."
    return _by_day("stage-days", "p95 of each step by day", summary, "s", records, series)


def _reasons(records: Sequence[DayRecord]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(record.rejected)
    return reasons


def _rejected(records: Sequence[DayRecord], reasons: Counter[str]) -> list[Series]:
    """Return a series for each of the main reasons, and one for all others."""
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
    values = [getattr(percentiles, name) if (percentiles := of(record)) else None for record in records]
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


def _label(stage: str) -> str:
    return _LABELS.get(stage, stage)


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 600 else display.span(seconds)
