"""What there is to tell of a day: its metrics, the days around it, its files."""

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
_TREND_BEFORE = 10  # of them where later days have listens too
_WINDOW_BEFORE, _WINDOW_AFTER = timedelta(days=85), timedelta(days=14)  # 100 days: one request
_LATEST_FILES = 1_000
_NEAREST_DAYS = 5
_REASONS_READ = 25  # reason.json objects: one request each
_DAY_IN_KEY = re.compile(r"(?<!\d)(\d{4})([-_/]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)
_SETTLED = (Status.PUBLISHED, Status.ARCHIVED, Status.RETRACTED)
_MAY_LACK_DAYS = (*IN_PROGRESS, *REFUSED_OR_FAILED)  # nobody has read their rows, or not to the end


@dataclass(frozen=True)
class DayFile:
    """A file of the day.

    Attributes:
        is_mended: it was put aside, but a later version of its key has been published.
        reason: the reason.json of a quarantined file.
        next_steps: commands for the operator.
    """

    entry: Entry
    is_mended: bool = False
    reason: dict[str, Any] = field(default_factory=dict)
    next_steps: list[str] = field(default_factory=list)

    @property
    def group(self) -> str:
        """Where it stands as people ask for it: failed, quarantined, mended, waiting, published or retracted."""
        status = self.entry.status
        if status in REFUSED_OR_FAILED:
            return "mended" if self.is_mended else status.lower()
        if status in UNPUBLISHED:
            return "waiting"
        return "retracted" if status is Status.RETRACTED else "published"

    @property
    def seconds(self) -> float | None:
        """Seconds from its arrival until its metrics stood or it was put aside; None where it is on its way."""
        return display.between(self.entry.source.received_at, files.ended_at(self.entry))

    @property
    def stages(self) -> list[float]:
        """Seconds from stage to stage, as far as it came: judged, started, published, archived.

        Empty for a file that was run again: its stamps are those of different attempts.
        """
        entry = self.entry
        if entry.attempt > 1:
            return []
        stamps = [entry.source.received_at, entry.validated_at, entry.started_at, entry.published_at, entry.archived_at]
        reached = stamps[: stamps.index("")] if "" in stamps else stamps
        spans = (display.between(before, after) or 0.0 for before, after in pairwise(reached))
        return [max(span, 0.0) for span in spans]  # S3 and we have clocks of our own


@dataclass(frozen=True)
class DayReport:
    """All that the page tells.

    Attributes:
        where: how people call the pipeline.
        genres, countries: those with the most listens first.
        trend: days with listens, in order: this one and some around it.
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
        """Whether all numbers are of one version; else a run was publishing while they were read."""
        versions = {(item.lake_uuid, item.version) for item in (self.summary, *self.genres, *self.countries)}
        return len(versions) == 1

    @property
    def sources(self) -> list[DayFile]:
        """The files whose listens the numbers are made of."""
        return [file for file in self.files if file.group == "published" and self.day.isoformat() in file.entry.days]

    @property
    def rejected(self) -> list[tuple[str, int]]:
        """Rejected rows of these files by reason, the most frequent first; some may have been of other days."""
        counts = results.rejected(file.entry for file in self.sources)
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def rows_read(self) -> int:
        """Rows that these files hold, those of other days too."""
        return sum(file.entry.rows_read for file in self.sources)

    @property
    def before(self) -> DaySummary | None:
        """The day before, of those with listens."""
        return next((each for each in reversed(self.trend) if each.day < self.day), None)


def gather(stack: Stack, day: date) -> DayReport:
    """Read everything about a day.

    Raises:
        BadData: it has no metrics; the error names the nearest days that have.
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
    """The latest day with metrics that recently published files brought.

    Raises:
        BadData: there is none.
    """
    found = next((day for day in sorted(known_days(ledger, _LATEST_FILES), reverse=True) if reader.day(day)), None)
    if found is None:
        raise BadData(
            "no file has been published yet, so there is no day to report on",
            next_steps=["music-streams demo", "music-streams status"],
        )
    return found


def _trend(others: list[DaySummary], summary: DaySummary) -> list[DaySummary]:
    found = sorted([*others, summary], key=lambda each: each.day)
    first = max(min(found.index(summary) - _TREND_BEFORE, len(found) - _TREND_DAYS), 0)
    return found[first:][:_TREND_DAYS]


def _files(stack: Stack, day: date) -> list[DayFile]:
    """The files that brought listens of the day, and those of which nobody knows yet what they would have brought.

    Of the latter, those whose key names the day, and those whose key names none and that arrived on the same dates as
    the former.
    """
    found = _with_day(stack.ledger, day)
    dates = {entry.source.received_at[:10] for entry in found.values()} or {day.isoformat()}
    for status in _MAY_LACK_DAYS:
        for entry in stack.ledger.with_status(status, condition=Attr("days").not_exists() | Attr("days").size().eq(0)):
            source = entry.source
            named = days_named(source.key)
            if day in named or (not named and source.received_at[:10] in dates):
                found[source.source_id] = entry
    entries = sorted(found.values(), key=lambda entry: (entry.source.received_at, entry.source.key))
    return list(_explained(stack, entries))


def days_named(key: str) -> set[date]:
    """The days that a key names: 2024-06-25, 2024_06_25, 20240625, or as folders 2024/06/25."""
    days = set()
    for year, _, month, day in _DAY_IN_KEY.findall(key):
        with suppress(ValueError):
            days.add(date(int(year), int(month), int(day)))
    return days


def _with_day(ledger: Ledger, day: date) -> dict[str, Entry]:
    holds_day = Attr("days").contains(day.isoformat())
    # A file that moves on meanwhile is seen twice; its later status counts.
    return {
        entry.source.source_id: entry
        for status in (*_MAY_LACK_DAYS, *_SETTLED)
        for entry in ledger.with_status(status, condition=holds_day)
    }


def _explained(stack: Stack, entries: Sequence[Entry]) -> Iterator[DayFile]:
    published = {entry.source.key: entry.source.received_at for entry in entries if entry.published_at}
    reasons_left = _REASONS_READ
    for entry in entries:
        is_aside = entry.status in REFUSED_OR_FAILED
        is_mended = is_aside and published.get(entry.source.key, "") > entry.source.received_at
        if not is_aside or is_mended:
            yield DayFile(entry, is_mended)
            continue
        reason = files.reason_of(stack, entry) if reasons_left > 0 else None
        reasons_left -= 1
        steps = [str(step) for step in next_steps.on_stack(stack, entry)]
        yield DayFile(entry, reason=reason or {}, next_steps=steps)


def known_days(ledger: Ledger, limit: int) -> set[date]:
    """The days of the files that were published last, up to `limit` PUBLISHED and as many ARCHIVED."""
    recent = (islice(ledger.with_status(status), limit) for status in (Status.PUBLISHED, Status.ARCHIVED))
    return {date.fromisoformat(day) for entries in recent for entry in entries for day in entry.days}


def _no_metrics(ledger: Ledger, day: date, around: list[date]) -> BadData:
    known = around or known_days(ledger, _LATEST_FILES)
    nearest = sorted(sorted(known, key=lambda each: (abs(each - day), each))[:_NEAREST_DAYS])
    if not nearest:
        return BadData(
            f"there are no metrics of {day}, nor of any other day: no file has been published yet",
            next_steps=["music-streams demo", "music-streams status"],
        )
    return BadData(
        f"there are no metrics of {day}: nobody listened, or no file with it was published",
        details=[f"the nearest days that have: {', '.join(map(str, nearest))}"],
        next_steps=[f"music-streams report {nearest[-1]}", "music-streams status"],
    )


def stamp_of(moment: datetime) -> str:
    """A moment as people read it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def moment_of(stamp: str) -> str:
    """A stamp of the ledger as people read it."""
    return stamp_of(clock.parse(stamp))
