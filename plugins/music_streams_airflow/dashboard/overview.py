"""The content of the first page."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from music_streams import clock, display
from music_streams.operate import health
from music_streams.operate.health import Health
from music_streams.reconcile import records
from music_streams.reconcile.records import DayRecord
from music_streams.reconcile.reports import Report, Reports
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import FINISHED, IN_PROGRESS, Status
from music_streams_airflow.dashboard import charts
from music_streams_airflow.dashboard.charts import Chart
from music_streams_airflow.dashboard.listing import LANDED

DAYS = 14
_REPORTS = 12
_FAILURES = 10
_MAX_REASONS = 10
_COUNTED_BY_ARRIVAL = [status for status in FINISHED if status is not Status.QUARANTINED]  # has its own line


@dataclass(frozen=True)
class StatusCount:
    """The number of files in a status, with their reasons; `scope` describes which files are counted."""

    status: str
    count: int
    scope: str
    reasons: list[tuple[str, int]]


@dataclass(frozen=True)
class FirstPage:
    """The content of the first page.

    Attributes:
        records: of the last 14 days, the oldest first; today's is computed now.
        missing: number of days without a record, which are shown as zeros.
        published_at: when metrics of a file were last published; '' if never.
        failures: the last files that failed.
        reports: the last reconciliations, the newest first.
    """

    now: datetime
    health: Health
    records: list[DayRecord]
    missing: int
    published_at: str
    status_counts: list[StatusCount]
    failures: list[Entry]
    reports: list[Report]

    @property
    def today(self) -> DayRecord:
        """Return the numbers of today."""
        return self.records[-1]

    @property
    def latest(self) -> Report | None:
        """Return the last reconciliation."""
        return self.reports[0] if self.reports else None

    @property
    def is_empty(self) -> bool:
        """Return whether no file has arrived yet."""
        has_files = any(status.count for status in self.status_counts)
        return not (has_files or self.published_at or any(record.arrivals for record in self.records))

    @property
    def waited_seconds(self) -> float | None:
        """Return how long the oldest waiting file has waited; None if no file waits."""
        return display.age(self.health.oldest.since, self.now) if self.health.oldest else None

    @property
    def volume(self) -> list[Chart]:
        """Return the charts of arrivals and rows."""
        return [
            charts.arrivals_by_day(self.records),
            charts.today_by_hour(self.today, self.now.hour),
            charts.rows_by_day(self.records),
            charts.rejects_by_day(self.records),
        ]

    @property
    def latency_sla(self) -> list[Chart]:
        """Return the charts of the latency SLA."""
        time = charts.time_by_day(self.records, self.health.latency_sla_seconds)
        return [charts.attainment_by_day(self.records), time]

    @property
    def stages(self) -> list[Chart]:
        """Return the charts of the time that each step took."""
        with_stages = [record for record in self.records if record.stages]
        return [charts.stages_of_day(with_stages[-1]), charts.stages_by_day(self.records)] if with_stages else []


def read(stack: Stack, now: datetime) -> FirstPage:
    """Read the first page; `now` (UTC) says which day is today."""
    first, today = (now - timedelta(days=DAYS - 1)).date().isoformat(), now.date().isoformat()
    reading = health.read(stack, now)
    changed_today = {status: list(stack.ledger.with_status(status, since=f"{today}T")) for status in Status}
    reports = Reports(stack.s3, stack.lake_bucket)
    by_day = {record.day: record for record in reports.records(first, today)}
    sla = stack.policy.latency_sla_seconds
    by_day[today] = records.record(today, chain.from_iterable(changed_today.values()), sla, clock.timestamp(now))
    last_reports = list(islice(reports.of_dates(first, today), _REPORTS))
    day_records = [by_day.get(day) or DayRecord(day, "", sla) for day in clock.dates(first, today)]
    return FirstPage(
        now,
        reading.health,
        day_records,
        DAYS - len(by_day),
        _published_at(stack, last_reports, changed_today[Status.PUBLISHED]),
        _status_counts(stack, first, day_records, len(reading.landed)),
        list(islice(stack.ledger.with_status(Status.FAILED), _FAILURES)),
        last_reports,
    )


def _published_at(stack: Stack, reports: list[Report], published: Iterable[Entry]) -> str:
    newest = islice(stack.ledger.with_status(Status.ARCHIVED), 1)
    timestamps = [entry.published_at for entry in (*published, *newest)]
    return max([*timestamps, *(report.findings.last_published_at for report in reports[:1])], default="")


def _status_counts(stack: Stack, first: str, day_records: Iterable[DayRecord], landed: int) -> list[StatusCount]:
    """Return failed files first, then quarantined ones, those in flight, and those that have finished."""
    quarantined = stack.ledger.with_status(Status.QUARANTINED, since=first)
    counts = [
        _count(Status.FAILED, stack.ledger.with_status(Status.FAILED), "all"),
        _count(Status.QUARANTINED, quarantined, f"quarantined since {first}"),
        StatusCount(LANDED, landed, "in the bucket, not in the ledger yet", []),
    ]
    counts += [_count(status, stack.ledger.with_status(status), "all") for status in IN_PROGRESS]
    statuses: Counter[str] = Counter()
    for record in day_records:
        statuses.update(record.statuses)
    since = f"arrived since {first}"
    return counts + [StatusCount(status, statuses[status], since, []) for status in _COUNTED_BY_ARRIVAL]


def _count(status: Status, entries: Iterable[Entry], scope: str) -> StatusCount:
    reasons = [entry.reason for entry in entries]
    return StatusCount(status, len(reasons), scope, Counter(filter(None, reasons)).most_common(_MAX_REASONS))
