"""Stalled sources, why they are stalled, and the messages that continue them: the plan of a redrive.

The plan is derived from S3, the ledger and Step Functions. It is carried out by sending its messages, which are
idempotent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Attr

from music_streams import clock, policy
from music_streams.aws import objects
from music_streams.aws.objects import Place
from music_streams.ingest import s3_events
from music_streams.reconcile.inventory import landed, with_entries
from music_streams.run.archive import awaits_archiving
from music_streams.run.executions import ALIVE, Executions
from music_streams.state import requests
from music_streams.state.ledger import UNREADABLE, Entry, Ledger
from music_streams.state.requests import Action, SourceRequest
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import UNFINISHED, Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class StallReason(StrEnum):
    """Why a source is stalled."""

    NOT_RECEIVED = "landed, but its S3 event was not received"
    NOT_VALIDATED = "received, but validate did not finish"
    NOT_STARTED = "valid, but its execution was not started"
    NOT_RECORDED = "its execution ended, but that was not recorded"
    FAILED = "failed"
    NOT_ARCHIVED = "published, but not archived"
    NOT_RETRACTED = "its rows were removed, but its status is not RETRACTED yet"
    NOT_REMOVED = "quarantined, but its object is still under its landing key"


@dataclass(frozen=True)
class StalledSource:
    """A stalled or failed source, and the message for the arrivals queue that continues it."""

    source: Source
    reason: StallReason
    message: str
    entry: Entry | None = None

    @property
    def attempt(self) -> int:
        """The attempt that finishes it: the current one continues, or a new one begins."""
        current = self.entry.attempt if self.entry else 1
        return current + (self.reason in {StallReason.FAILED, StallReason.NOT_RECORDED})


@dataclass(frozen=True)
class StalledFinder:
    """Finds failed sources, and stalled ones, which neither changed nor landed in the last `idle_seconds`."""

    s3: "S3Client"
    ledger: Ledger
    executions: Executions
    landing_bucket: str
    idle_seconds: float = policy.STALL_SECONDS
    _statuses: dict[str, str] = field(default_factory=dict)  # by execution ARN: a batch has many sources
    _existing: dict[str, bool] = field(default_factory=dict)  # by source_id

    def find(self) -> Iterator[StalledSource]:
        """Yield all stalled and failed sources, in no particular order."""
        yield from self._of_ledger()
        yield from self._of_bucket()

    def of(self, entry: Entry) -> StalledSource | None:
        """Return the redrive of a source; None if it is in flight, finished, gone or unreadable."""
        reason = self._reason(entry)
        if reason is None or self.is_gone(entry) or self.is_unreadable(entry):
            return None
        return StalledSource(entry.source, reason, request_message(entry, Action.REDRIVE), entry)

    def of_unknown(self, source: Source) -> StalledSource | None:
        """Return the redrive of a source without ledger entry; None if its event may be in flight."""
        if not self._is_idle(source.received_at):
            return None
        return StalledSource(source, StallReason.NOT_RECEIVED, s3_events.event_of(source))

    def of_leftover(self, entry: Entry) -> StalledSource | None:
        """Return the redrive that deletes a quarantined source's landed object; None if that may be in progress."""
        should_move = entry.status is Status.QUARANTINED and not entry.stays_at_landing_key
        if not should_move or not self._is_idle(entry.updated_at):
            return None
        return StalledSource(entry.source, StallReason.NOT_REMOVED, request_message(entry, Action.REDRIVE), entry)

    def is_gone(self, entry: Entry) -> bool:
        """Whether a source cannot continue, because its object was deleted by others; a retract needs no object."""
        if entry.is_retracted:
            return False
        needed = {
            Status.FAILED: [entry.place],
            Status.PUBLISHED: [entry.place, Place(entry.source.bucket, entry.source.kept_key("archive"), "")],
        }.get(entry.status, [])
        source_id = entry.source.source_id
        if needed and source_id not in self._existing:
            self._existing[source_id] = any(objects.exists(self.s3, place) for place in needed)
        return bool(needed) and not self._existing[source_id]

    def is_unreadable(self, entry: Entry) -> bool:
        """Whether a source failed because S3 did not return its bytes, and S3 still does not."""
        is_recorded = entry.status is Status.FAILED and entry.reason == UNREADABLE
        return is_recorded and not objects.is_readable(self.s3, entry.place)

    def gone(self) -> Iterator[Entry]:
        """Yield the failed or published files that cannot continue, because their object was deleted by others."""
        for status in (Status.FAILED, Status.PUBLISHED):
            yield from filter(self.is_gone, self.ledger.with_status(status))

    def _of_ledger(self) -> Iterator[StalledSource]:
        unfinished = (self.ledger.with_status(status) for status in UNFINISHED)
        half_retracted = self.ledger.with_status(Status.ARCHIVED, condition=Attr("treatment").eq(Treatment.RETRACT))
        yield from filter(None, map(self.of, chain(*unfinished, half_retracted)))

    def _of_bucket(self) -> Iterator[StalledSource]:
        for source, entry in with_entries(self.ledger, landed(self.s3, self.landing_bucket)):
            if stalled := self.of_leftover(entry) if entry else self.of_unknown(source):
                yield stalled

    def _reason(self, entry: Entry) -> StallReason | None:
        if entry.status is Status.FAILED:
            return StallReason.FAILED
        if not self._is_idle(entry.updated_at):
            return None
        if entry.status is Status.RECEIVED:
            return StallReason.NOT_VALIDATED
        if entry.status is Status.VALID:
            arn = self.executions.arn(entry.batch_id, entry.attempt)
            return self._of_execution(arn) if self._status(arn) else StallReason.NOT_STARTED
        if entry.status is Status.RUNNING:
            return self._of_execution(entry.execution_arn)
        if awaits_archiving(entry) and self._of_execution(entry.execution_arn):
            return StallReason.NOT_ARCHIVED if entry.status is Status.PUBLISHED else StallReason.NOT_RETRACTED
        return None

    def _is_idle(self, timestamp: str) -> bool:
        return timestamp < clock.seconds_before(clock.now(), self.idle_seconds)

    def _of_execution(self, arn: str) -> StallReason | None:
        return None if self._status(arn) in ALIVE else StallReason.NOT_RECORDED

    def _status(self, arn: str) -> str:
        if arn not in self._statuses:
            self._statuses[arn] = self.executions.status(arn)
        return self._statuses[arn]


def request_message(entry: Entry, action: Action) -> str:
    """Return the message that requests an action for the current attempt of a source."""
    return requests.to_message(SourceRequest(entry.source.source_id, entry.attempt, action))


def parked(ledger: Ledger) -> Iterator[Entry]:
    """Return the archived sources with parked rows, which a replay may count."""
    has_parked_rows = Attr("rejected.unknown_track").gt(0) & ~Attr("treatment").eq(Treatment.RETRACT)
    return ledger.with_status(Status.ARCHIVED, condition=has_parked_rows)


def days_known(ledger: Ledger) -> list[str]:
    """Return every day that a source has, or had, listens of."""
    return sorted({day for entry in ledger.search(Attr("days").exists()) for day in entry.days})
