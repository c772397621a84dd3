"""What stands still, why, and the message that moves it: the plan of a redrive.

The plan is made from what S3, the ledger and Step Functions say; carrying it out is sending its messages, and sending
one twice does no harm.
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
from music_streams.state.requests import Action, Attempt
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import UNFINISHED, Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class StallReason(StrEnum):
    """Why a source stands still."""

    NOT_RECEIVED = "landed, but its event never came"
    NOT_JUDGED = "received, but validate died over it"
    NOT_STARTED = "valid, but its execution was never started"
    NOT_RECORDED = "its execution ended, and that was not recorded"
    FAILED = "failed"
    NOT_ARCHIVED = "published, but not archived"
    NOT_RETRACTED = "its rows are retracted, but the ledger does not say so"
    NOT_REMOVED = "quarantined, but still where it landed"


@dataclass(frozen=True)
class StalledSource:
    """One source that stands still.

    Attributes:
        entry: what the ledger says of it; None where it knows nothing.
        message: what to put into the arrivals queue.
    """

    source: Source
    trouble: StallReason
    message: str
    entry: Entry | None = None

    @property
    def attempt(self) -> int:
        """The attempt that brings it to its end: the one at hand goes on, or another begins."""
        at_hand = self.entry.attempt if self.entry else 1
        return at_hand + (self.trouble in {StallReason.FAILED, StallReason.NOT_RECORDED})


@dataclass(frozen=True)
class Repairs:
    """Finds them.

    Attributes:
        idle_seconds: what moved, or landed, less than that ago is left alone, unless it failed.
    """

    s3: "S3Client"
    ledger: Ledger
    executions: Executions
    landing_bucket: str
    idle_seconds: float = policy.STALL_SECONDS
    _statuses: dict[str, str] = field(default_factory=dict)  # of executions: a batch has many sources
    _existing: dict[str, bool] = field(default_factory=dict)  # by source_id

    def find(self) -> Iterator[StalledSource]:
        """Everything that stands still, in no order."""
        yield from self._of_ledger()
        yield from self._of_bucket()

    def of(self, entry: Entry) -> StalledSource | None:
        """What would move one source; None where it moves by itself, is at its end, is gone or cannot be read."""
        trouble = self._trouble(entry)
        if trouble is None or self.is_gone(entry) or self.is_unreadable(entry):
            return None
        return StalledSource(entry.source, trouble, ask(entry, Action.REDRIVE), entry)

    def of_unknown(self, source: Source) -> StalledSource | None:
        """What would bring in a source that the ledger does not know; None where its event may be on its way."""
        if not self._is_idle(source.received_at):
            return None
        return StalledSource(source, StallReason.NOT_RECEIVED, s3_events.event_of(source))

    def of_leftover(self, entry: Entry) -> StalledSource | None:
        """What would remove a quarantined source from where it landed; None where that may be under way."""
        is_left = entry.status is Status.QUARANTINED and not entry.stays_in_place
        if not is_left or not self._is_idle(entry.updated_at):
            return None
        return StalledSource(entry.source, StallReason.NOT_REMOVED, ask(entry, Action.REDRIVE), entry)

    def is_gone(self, entry: Entry) -> bool:
        """Whether a source can go no further because its object was deleted by others; a retract needs none."""
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
        """Whether a source failed because S3 did not give its bytes, and still does not."""
        is_recorded = entry.status is Status.FAILED and entry.reason == UNREADABLE
        return is_recorded and not objects.is_readable(self.s3, entry.place)

    def gone(self) -> Iterator[Entry]:
        """What failed, or was published, and can go no further because its object was deleted by others."""
        for status in (Status.FAILED, Status.PUBLISHED):
            yield from filter(self.is_gone, self.ledger.with_status(status))

    def _of_ledger(self) -> Iterator[StalledSource]:
        moving = (self.ledger.with_status(status) for status in UNFINISHED)
        half_retracted = self.ledger.with_status(Status.ARCHIVED, condition=Attr("treatment").eq(Treatment.RETRACT))
        yield from filter(None, map(self.of, chain(*moving, half_retracted)))

    def _of_bucket(self) -> Iterator[StalledSource]:
        for source, entry in with_entries(self.ledger, landed(self.s3, self.landing_bucket)):
            if repair := self.of_leftover(entry) if entry else self.of_unknown(source):
                yield repair

    def _trouble(self, entry: Entry) -> StallReason | None:
        if entry.status is Status.FAILED:
            return StallReason.FAILED
        if not self._is_idle(entry.updated_at):
            return None
        if entry.status is Status.RECEIVED:
            return StallReason.NOT_JUDGED
        if entry.status is Status.VALID:
            arn = self.executions.arn(entry.batch_id, entry.attempt)
            return self._of_execution(arn) if self._status(arn) else StallReason.NOT_STARTED
        if entry.status is Status.RUNNING:
            return self._of_execution(entry.execution_arn)
        if awaits_archiving(entry) and self._of_execution(entry.execution_arn):
            return StallReason.NOT_ARCHIVED if entry.status is Status.PUBLISHED else StallReason.NOT_RETRACTED
        return None

    def _is_idle(self, stamp: str) -> bool:
        return stamp < clock.seconds_before(clock.now(), self.idle_seconds)

    def _of_execution(self, arn: str) -> StallReason | None:
        return None if self._status(arn) in ALIVE else StallReason.NOT_RECORDED

    def _status(self, arn: str) -> str:
        if arn not in self._statuses:
            self._statuses[arn] = self.executions.status(arn)
        return self._statuses[arn]


def ask(entry: Entry, action: Action) -> str:
    """The message that asks for something about a source as it stands."""
    return requests.to_message(Attempt(entry.source.source_id, entry.attempt, action))


def parked(ledger: Ledger) -> Iterator[Entry]:
    """Archived sources with rows whose track no songs file knew when they ran: a replay may count them."""
    has_parked_rows = Attr("rejected.unknown_track").gt(0) & ~Attr("treatment").eq(Treatment.RETRACT)
    return ledger.with_status(Status.ARCHIVED, condition=has_parked_rows)


def days_known(ledger: Ledger) -> list[str]:
    """Every day of which some source has, or had, listens."""
    return sorted({day for entry in ledger.search(Attr("days").exists()) for day in entry.days})
