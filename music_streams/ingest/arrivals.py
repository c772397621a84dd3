"""What arrives: claimed, judged, and taken for a run, or put where it belongs.

Each step may be repeated. A message is taken from the queue only when all is done; after a crash it comes back, and the
ledger tells how far its source had come:

* RECEIVED, lease expired: claimed again and validated again;
* RECEIVED, lease running: another delivery of the same event is at work, and *its* message is still in the queue,
  because the lease is shorter than the queue's visibility: this one may go;
* VALID for longer than the lease: its manifest is written; start the execution (its name makes a second start
  harmless). Earlier the invocation that wrote it may still be moving the rest of the batch, so the same holds;
* QUARANTINED: see that nothing of it stayed where it lay;
* anything else: the event was delivered twice.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.aws import objects
from music_streams.errors import ObjectGone, Unreadable
from music_streams.ingest.batches import PendingSource, record_loss
from music_streams.ingest.launch import Launch
from music_streams.ingest.outcomes import Outcome
from music_streams.ingest.time_limits import FileValidator
from music_streams.run.executions import Executions
from music_streams.run.quarantine import Quarantine
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.sources import Source
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Arrivals:
    """Takes the sources that S3's events announce.

    Attributes:
        lease_seconds: a claim that is older than this belongs to nobody.
    """

    s3: "S3Client"
    ledger: Ledger
    executions: Executions
    quarantine: Quarantine
    validate: FileValidator
    launch: Launch
    lease_seconds: float

    def take(self, source: Source) -> Outcome:
        """Claim a source and judge it; where others have it already see to what they left undone."""
        claimed = self.ledger.receive(self._as_stored(source), self.lease_seconds)
        if claimed:
            return self._validate_arrived(claimed)
        entry = self.ledger.entry(source.source_id)
        if entry:
            self.resume(entry)
        return Outcome.DUPLICATE

    def resume(self, entry: Entry) -> bool:
        """See to the end of what an invocation that died has left; whether there was something."""
        if entry.status is Status.VALID and entry.is_older_than(self.lease_seconds):
            arn = self.executions.arn(entry.batch_id, entry.attempt)
            if self.executions.status(arn):
                return False
            self.launch.start(entry.batch_id, entry.attempt)
            return True
        if entry.status is Status.QUARANTINED:
            self.quarantine.finish(entry)
        return False

    def lost(self, entry: Entry, error: ObjectGone | Unreadable) -> Outcome:
        """What becomes of a file whose bytes cannot be had."""
        record_loss(self.ledger, entry, error)
        return Outcome.GONE if isinstance(error, ObjectGone) else Outcome.UNREADABLE

    def _as_stored(self, source: Source) -> Source:
        """The source with its size as S3 has it, and no arrival before it was there: an event is no proof of either."""
        try:
            found = objects.stored(self.s3, source)
        except Unreadable:
            return source  # the ledger will say so
        if found is None:
            return source
        return replace(source, size=found.size, received_at=max(source.received_at, clock.timestamp(found.modified_at)))

    def _validate_arrived(self, claimed: Entry) -> Outcome:
        try:
            validation = self.validate(claimed)
            if validation.verdict:
                self.quarantine.take(claimed, validation.verdict, validation.detail)
                return Outcome.QUARANTINED
        except (ObjectGone, Unreadable) as error:
            return self.lost(claimed, error)
        self.launch.add(PendingSource(claimed, validation=validation))
        return Outcome.VALID
