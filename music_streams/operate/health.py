"""Pipeline health in one sentence, the same for the command line, reports and dashboards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from music_streams import clock, display, policy
from music_streams.operate import files
from music_streams.reconcile.findings import DayState
from music_streams.reconcile.reports import Reports
from music_streams.stack import Stack
from music_streams.state.sources import Source
from music_streams.state.statuses import UNFINISHED, UNPUBLISHED, Status

_DAY = timedelta(days=1)
_DEAD_LETTER_QUEUES = ("ArrivalsDeadLetterQueueUrl", "FailuresDeadLetterQueueUrl")


class Level(StrEnum):
    """The severity of the worst problem."""

    OK = "OK"
    WORKING = "WORKING"
    ATTENTION = "ATTENTION"


@dataclass(frozen=True)
class Waiting:
    """A file that waits for its metrics, and since when."""

    name: str
    since: str


@dataclass(frozen=True)
class Check:
    """The days of the last reconciliation; gaps of files are not included.

    Attributes:
        bad_days: the days with a gap.
        at: when they were inspected.
        lost_days: those of `bad_days` that are LAKE_LOST.
    """

    bad_days: Sequence[str]
    at: str
    lost_days: Sequence[str] = ()


@dataclass(frozen=True)
class Health:
    """Pipeline health; `quarantined` counts the files of the last 24 hours, the other fields cover all files.

    Attributes:
        waiting: the files in flight whose metrics are not published.
        check: None if no reconciliation has run.
        latency_sla_seconds: a file that waits longer is late.
        to_archive: number of published files that are not archived yet.
    """

    waiting: Sequence[Waiting]
    failed: Sequence[str]
    quarantined: int
    dead_letters: int | None
    now: datetime
    check: Check | None = None
    latency_sla_seconds: float = policy.LATENCY_SLA_SECONDS
    to_archive: int = 0

    @property
    def oldest(self) -> Waiting | None:
        """The file that has waited longest."""
        return min(self.waiting, key=lambda file: file.since, default=None)

    @property
    def is_late(self) -> bool:
        """Whether a file has waited for more than `latency_sla_seconds`, in its first or a new attempt."""
        return self.oldest is not None and display.age(self.oldest.since, self.now) > self.latency_sla_seconds

    @property
    def level(self) -> Level:
        """The severity of the worst problem."""
        if self.failed or self.dead_letters or self.is_late or (self.check and self.check.bad_days):
            return Level.ATTENTION
        return Level.WORKING if self.waiting or self.to_archive else Level.OK

    @property
    def sentence(self) -> str:
        """The level, then its causes, the worst first."""
        problems = []
        if self.failed:
            problems.append(f"{display.plural(len(self.failed), 'file')} failed (most recent: {self.failed[0]})")
        if self.dead_letters:
            problems.append(display.plural(self.dead_letters, "dead letter"))
        if lost := len(self.check.lost_days) if self.check else 0:
            problems.append(f"{display.plural(lost, 'day')} LAKE_LOST")
        if self.check and (drifted := len(self.check.bad_days) - lost):
            problems.append(f"metrics of {display.plural(drifted, 'day')} differ from the lake")
        parts = [*problems, self._waiting()]
        if self.to_archive:
            parts.append(f"{display.plural(self.to_archive, 'file')} to archive")
        if not self.failed:
            parts.append("none failed")
        if self.dead_letters == 0:
            parts.append("no dead letters")
        if self.quarantined:
            parts.append(f"{display.plural(self.quarantined, 'file')} quarantined in the last 24 h")
        if self.check:
            parts.append(f"last reconciliation {display.span(display.age(self.check.at, self.now))} ago")
        return f"{self.level}: {', '.join(parts)}."

    def _waiting(self) -> str:
        if self.oldest is None:
            return "no file waits"
        wait = display.span(display.age(self.oldest.since, self.now))
        limit = f", over the latency SLA of {display.span(self.latency_sla_seconds)}" if self.is_late else ""
        if len(self.waiting) == 1:
            return f"1 file has waited {wait} ({self.oldest.name}{limit})"
        return f"{len(self.waiting):,} files are waiting, the oldest for {wait} ({self.oldest.name}{limit})"

    def as_json(self) -> dict[str, Any]:
        """Return the health as JSON."""
        return {
            "level": self.level,
            "sentence": self.sentence,
            "waiting": len(self.waiting),
            "to_archive": self.to_archive,
            "oldest_waiting": asdict(self.oldest) if self.oldest else None,
            "failed": len(self.failed),
            "quarantined_24h": self.quarantined,
            "dead_letters": self.dead_letters,
            "last_check": asdict(self.check) if self.check else None,
        }


@dataclass(frozen=True)
class HealthReading:
    """The health, and the landed files that have no ledger entry yet."""

    health: Health
    landed: list[Source]


def read(stack: Stack, now: datetime) -> HealthReading:
    """Read the health of the pipeline, from all files that are in flight or failed."""
    pending = {status: list(stack.ledger.with_status(status)) for status in UNFINISHED}
    known = {entry.source.source_id for entries in pending.values() for entry in entries}
    landed = list(files.landed(stack, known))
    waiting = [
        *(Waiting(entry.source.name, entry.waiting_since) for status in UNPUBLISHED for entry in pending[status]),
        *(Waiting(source.name, source.received_at) for source in landed),
    ]
    failed = [entry.source.name for entry in pending[Status.FAILED]]
    quarantined = sum(1 for _ in stack.ledger.with_status(Status.QUARANTINED, since=clock.timestamp(now - _DAY)))
    health = Health(
        waiting,
        failed,
        quarantined,
        _dead_letters(stack),
        now,
        _check(stack),
        stack.policy.latency_sla_seconds,
        len(pending[Status.PUBLISHED]),
    )
    return HealthReading(health, landed)


def _check(stack: Stack) -> Check | None:
    report = Reports(stack.s3, stack.lake_bucket).latest()
    if report is None:
        return None
    days = report.findings.bad_days
    lost = [day.day for day in days if day.state is DayState.LAKE_LOST]
    return Check([day.day for day in days], report.findings.looked_at, lost)


def _dead_letters(stack: Stack) -> int | None:
    """Return the number of dead letters; None if the stack has no outputs for their queues."""
    urls = [stack.outputs[name] for name in _DEAD_LETTER_QUEUES if name in stack.outputs]
    if not urls:
        return None
    name = "ApproximateNumberOfMessages"
    sqs = stack.client("sqs")
    answers = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]) for url in urls]
    return sum(int(answer["Attributes"][name]) for answer in answers)
