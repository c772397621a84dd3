"""What the first page shows, read from the pipeline at one moment."""

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
_COUNTED_BY_ARRIVAL = [status for status in FINISHED if status is not Status.QUARANTINED]  # it has a line of its own


@dataclass(frozen=True)
class Standing:
    """How many files stand somewhere, and why; `scope` says of which files that is."""

    status: str
    count: int
    scope: str
    reasons: list[tuple[str, int]]


@dataclass(frozen=True)
class FirstPage:
    """All of it.

    Attributes:
        records: of the last 14 days, the oldest first; today's is made now.
        missing: of how many days there is no record, so that zeros stand for them.
        published_at: when metrics of a file last stood; '' where none ever did.
        failures: the last that failed, with the error of each.
        reports: the last reconciliations, the newest first.
    """

    now: datetime
    health: Health
    records: list[DayRecord]
    missing: int
    published_at: str
    standings: list[Standing]
    failures: list[Entry]
    reports: list[Report]

    @property
    def today(self) -> DayRecord:
        """The numbers of today."""
        return self.records[-1]

    @property
    def latest(self) -> Report | None:
        """The last reconciliation."""
        return self.reports[0] if self.reports else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing ever came."""
        nothing_stands = not any(each.count for each in self.standings)
        return nothing_stands and not self.published_at and not any(record.arrivals for record in self.records)

    @property
    def waited_seconds(self) -> float | None:
        """How long the oldest waiting file waits; None where none does."""
        return display.age(self.health.oldest.since, self.now) if self.health.oldest else None

    @property
    def volume(self) -> list[Chart]:
        """What came, and what became of it."""
        return [
            charts.arrivals_by_day(self.records),
            charts.today_by_hour(self.today, self.now.hour),
            charts.rows_by_day(self.records),
            charts.rejects_by_day(self.records),
        ]

    @property
    def promise(self) -> list[Chart]:
        """Whether the promise was kept."""
        time = charts.time_by_day(self.records, self.health.latency_sla_seconds)
        return [charts.attainment_by_day(self.records), time]

    @property
    def stages(self) -> list[Chart]:
        """What each step took."""
        with_stages = [record for record in self.records if record.stages]
        return [charts.stages_of_day(with_stages[-1]), charts.stages_by_day(self.records)] if with_stages else []


def read(stack: Stack, now: datetime) -> FirstPage:
    """Read it.

    Args:
        stack: the pipeline.
        now: in UTC; which day is today.
    """
    first, today = (now - timedelta(days=DAYS - 1)).date().isoformat(), now.date().isoformat()
    look = health.read(stack, now)
    moved = {status: list(stack.ledger.with_status(status, since=f"{today}T")) for status in Status}
    reports = Reports(stack.s3, stack.lake_bucket)
    found = {record.day: record for record in reports.records(first, today)}
    sla = stack.policy.latency_sla_seconds
    found[today] = records.record(today, chain.from_iterable(moved.values()), sla, clock.timestamp(now))
    last = list(islice(reports.of_dates(first, today), _REPORTS))
    day_records = [found.get(day) or DayRecord(day, "", sla) for day in clock.dates(first, today)]
    return FirstPage(
        now,
        look.health,
        day_records,
        DAYS - len(found),
        _published_at(stack, last, moved[Status.PUBLISHED]),
        _standings(stack, first, day_records, len(look.landed)),
        list(islice(stack.ledger.with_status(Status.FAILED), _FAILURES)),
        last,
    )


def _published_at(stack: Stack, reports: list[Report], published: Iterable[Entry]) -> str:
    newest = islice(stack.ledger.with_status(Status.ARCHIVED), 1)
    stamps = [entry.published_at for entry in (*published, *newest)]
    return max([*stamps, *(report.findings.last_published_at for report in reports[:1])], default="")


def _standings(stack: Stack, first: str, day_records: Iterable[DayRecord], landed: int) -> list[Standing]:
    """The failed first, then those put aside, those on their way, and those at their end."""
    aside = f"put aside since {first}"
    standings = [
        _standing(Status.FAILED, stack.ledger.with_status(Status.FAILED), "all there are"),
        _standing(Status.QUARANTINED, stack.ledger.with_status(Status.QUARANTINED, since=first), aside),
        Standing(LANDED, landed, "in the bucket; the ledger does not know them yet", []),
    ]
    standings += [_standing(status, stack.ledger.with_status(status), "all there are") for status in IN_PROGRESS]
    statuses: Counter[str] = Counter()
    for record in day_records:
        statuses.update(record.statuses)
    since = f"arrived since {first}"
    return standings + [Standing(status, statuses[status], since, []) for status in _COUNTED_BY_ARRIVAL]


def _standing(status: Status, entries: Iterable[Entry], scope: str) -> Standing:
    reasons = [entry.reason for entry in entries]
    return Standing(status, len(reasons), scope, Counter(filter(None, reasons)).most_common(_FAILURES))
