"""The content of the report: the metrics of a day, the days around it, its files."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from boto3.dynamodb.conditions import Attr

from music_streams import clock, display
from music_streams.operate import files, next_steps
from music_streams.reader import CountryDay, DaySummary, GenreDay, MetricsReader
from music_streams.stack import Stack
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.statuses import IN_PROGRESS, REFUSED_OR_FAILED, UNPUBLISHED, Status
from music_streams_cli import results
from music_streams_cli.errors import BadData

_TREND_DAYS = 14
_TREND_BEFORE = 10  # of these, if later days have listens too
_WINDOW_BEFORE, _WINDOW_AFTER = timedelta(days=85), timedelta(days=14)  # 100 days: one request
_LATEST_FILES = 1_000
_NEAREST_DAYS = 5
_REASONS_READ = 25  # reason.json objects: one request each
_DAY_IN_KEY = re.compile(r"(?<!\d)(\d{4})([-_/]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)
_SETTLED = (Status.PUBLISHED, Status.ARCHIVED, Status.RETRACTED)
_MAY_LACK_DAYS = (*IN_PROGRESS, *REFUSED_OR_FAILED)  # their rows have not been read completely


@dataclass(frozen=True)
class DayFile:
    """A file of the day.

    Attributes:
        is_fixed: it failed or was quarantined, and a later version of its key was published.
        reason: the reason.json of a quarantined file.
        next_steps: commands for the operator.
    """

    entry: Entry
    is_fixed: bool = False
    reason: dict[str, Any] = field(default_factory=dict)
    next_steps: list[str] = field(default_factory=list)

    @property
    def group(self) -> str:
        """Return its group: failed, quarantined, fixed, waiting, published or retracted."""
        status = self.entry.status
        if status in REFUSED_OR_FAILED:
            return "fixed" if self.is_fixed else status.lower()
        if status in UNPUBLISHED:
            return "waiting"
        return "retracted" if status is Status.RETRACTED else "published"

    @property
    def seconds(self) -> float | None:
        """Return the seconds from its arrival until it was published or quarantined; None while it is in flight."""
        return display.seconds_between(self.entry.source.received_at, files.ended_at(self.entry))

    @property
    def stages(self) -> list[float]:
        """Return the seconds of the stages that it has passed: validated, started, published, archived.

        Empty for a file that ran again: its timestamps are those of different attempts.
        """
        entry = self.entry
        if entry.attempt > 1:
            return []
        timestamps = [
            entry.source.received_at,
            entry.validated_at,
            entry.started_at,
            entry.published_at,
            entry.archived_at,
        ]
        reached = timestamps[: timestamps.index("")] if "" in timestamps else timestamps
        spans = (display.seconds_between(before, after) or 0.0 for before, after in pairwise(reached))
        return [max(span, 0.0) for span in spans]  # the clocks of S3 and of the pipeline may differ


@dataclass(frozen=True)
class DayReport:
    """The content of the page.

    Attributes:
        where: the name of the pipeline.
        genres, countries: the ones with the most listens first.
        trend: this day and days with listens around it, in order.
        files: in the order of arrival.
    """

    day: date
    where: str
    made_at: datetime
    summary: DaySummary
    genres: list[GenreDay]
    countries: list[CountryDay]
    trend: list[DaySummary]
    files: list[DayFile]

    @property
    def is_settled(self) -> bool:
        """Return whether all metrics are of one version; otherwise a run was publishing while they were read."""
        versions = {(item.lake_uuid, item.version) for item in (self.summary, *self.genres, *self.countries)}
        return len(versions) == 1

    @property
    def sources(self) -> list[DayFile]:
        """Return the published files with listens of the day."""
        return [file for file in self.files if file.group == "published" and self.day.isoformat() in file.entry.days]

    @property
    def rejected(self) -> list[tuple[str, int]]:
        """Return the rejected rows of these files by reason, the most frequent first; some may be of other days."""
        counts = results.rejected(file.entry for file in self.sources)
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def rows_read(self) -> int:
        """Return the number of rows in these files, including those of other days."""
        return sum(file.entry.rows_read for file in self.sources)

    @property
    def before(self) -> DaySummary | None:
        """Return the previous day with listens."""
        return next((each for each in reversed(self.trend) if each.day < self.day), None)


def gather(stack: Stack, day: date) -> DayReport:
    """Read the content of the report of a day.

    Raises:
        BadData: the day has no metrics; the error names the nearest days with metrics.
    """
    around = stack.reader.days(day - _WINDOW_BEFORE, day + _WINDOW_AFTER)
    summary = stack.reader.day(day)
    if summary is None:
        raise _no_metrics(stack.ledger, day, [each.day for each in around])
    items = stack.reader.items_of_day(day)
    genres = [item for item in items if isinstance(item, GenreDay)]
    countries = [item for item in items if isinstance(item, CountryDay)]
    return DayReport(
        day=day,
        where=stack.where,
        made_at=datetime.now(UTC),
        summary=summary,
        genres=sorted(genres, key=lambda each: (-each.listen_count, -each.unique_listeners, each.genre)),
        countries=sorted(countries, key=lambda each: (-each.listen_count, -each.unique_listeners, each.country)),
        trend=_trend([each for each in around if each.day != day], summary),
        files=_files(stack, day),
    )


def latest_day(ledger: Ledger, reader: MetricsReader) -> date:
    """Return the latest day with metrics in recently published files. Raises BadData if there is none."""
    latest = next((day for day in sorted(known_days(ledger, _LATEST_FILES), reverse=True) if reader.day(day)), None)
    if latest is None:
        raise BadData(
            "there is no day to report on: no file has been published yet",
            next_steps=["music-streams demo", "music-streams status"],
        )
    return latest


def _trend(others: list[DaySummary], summary: DaySummary) -> list[DaySummary]:
    days = sorted([*others, summary], key=lambda each: each.day)
    first = max(min(days.index(summary) - _TREND_BEFORE, len(days) - _TREND_DAYS), 0)
    return days[first:][:_TREND_DAYS]


def _files(stack: Stack, day: date) -> list[DayFile]:
    """Return the files with listens of the day, and files not read completely that may have such listens.

    The latter are those whose key names the day, and those whose key names no day and that arrived on the same dates
    as the former.
    """
    entry_by_id = _with_day(stack.ledger, day)
    dates = {entry.source.received_at[:10] for entry in entry_by_id.values()} or {day.isoformat()}
    for status in _MAY_LACK_DAYS:
        for entry in stack.ledger.with_status(status, condition=Attr("days").not_exists() | Attr("days").size().eq(0)):
            source = entry.source
            named = days_named(source.key)
            if day in named or (not named and source.received_at[:10] in dates):
                entry_by_id[source.source_id] = entry
    entries = sorted(entry_by_id.values(), key=lambda entry: (entry.source.received_at, entry.source.key))
    return list(_explained(stack, entries))


def days_named(key: str) -> set[date]:
    """Return the days that a key names: 2024-06-25, 2024_06_25, 20240625, or as folders 2024/06/25."""
    days = set()
    for year, _, month, day in _DAY_IN_KEY.findall(key):
        with suppress(ValueError):
            days.add(date(int(year), int(month), int(day)))
    return days


def _with_day(ledger: Ledger, day: date) -> dict[str, Entry]:
    holds_day = Attr("days").contains(day.isoformat())
    # A file whose status changes meanwhile is read twice; the later status counts.
    return {
        entry.source.source_id: entry
        for status in (*_MAY_LACK_DAYS, *_SETTLED)
        for entry in ledger.with_status(status, condition=holds_day)
    }


def _explained(stack: Stack, entries: Sequence[Entry]) -> Iterator[DayFile]:
    published = {entry.source.key: entry.source.received_at for entry in entries if entry.published_at}
    reasons_left = _REASONS_READ
    for entry in entries:
        is_unsuccessful = entry.status in REFUSED_OR_FAILED
        is_fixed = is_unsuccessful and published.get(entry.source.key, "") > entry.source.received_at
        if not is_unsuccessful or is_fixed:
            yield DayFile(entry, is_fixed)
            continue
        reason = files.reason_of(stack, entry) if reasons_left > 0 else None
        reasons_left -= 1
        steps = [str(step) for step in next_steps.on_stack(stack, entry)]
        yield DayFile(entry, reason=reason or {}, next_steps=steps)


def known_days(ledger: Ledger, limit: int) -> set[date]:
    """Return the days of the latest files, up to `limit` PUBLISHED and as many ARCHIVED."""
    recent = (islice(ledger.with_status(status), limit) for status in (Status.PUBLISHED, Status.ARCHIVED))
    return {date.fromisoformat(day) for entries in recent for entry in entries for day in entry.days}


def _no_metrics(ledger: Ledger, day: date, around: list[date]) -> BadData:
    candidates = around or known_days(ledger, _LATEST_FILES)
    nearest = sorted(sorted(candidates, key=lambda each: (abs(each - day), each))[:_NEAREST_DAYS])
    if not nearest:
        return BadData(
            f"there are no metrics of {day} or any other day: no file has been published yet",
            next_steps=["music-streams demo", "music-streams status"],
        )
    return BadData(
        f"there are no metrics of {day}: it has no listens, or no file with them was published",
        details=[f"the nearest days with metrics: {', '.join(map(str, nearest))}"],
        next_steps=[f"music-streams report {nearest[-1]}", "music-streams status"],
    )


def shown_instant(instant: datetime) -> str:
    """Return an instant for display."""
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def shown_timestamp(timestamp: str) -> str:
    """Return a timestamp of the ledger for display."""
    return shown_instant(clock.parse(timestamp))
