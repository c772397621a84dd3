"""Processes S3's events: claims and validates each new file, then adds it to a batch or quarantines it.

Every step is idempotent. A message is deleted from the queue only when all its work is done. After a crash it is
received again, and the status in the ledger decides what remains to be done:

* RECEIVED, lease expired: claim and validate the source again;
* RECEIVED, lease not expired: another invocation is processing another delivery of the event. If it crashes, SQS
  delivers that message again after the visibility timeout, when the lease has expired. So this one can be deleted;
* VALID for longer than the lease: the manifest is written, so start the execution (its name makes a second start
  harmless). Before that, the invocation that wrote the manifest may still be changing the rest of the batch to VALID;
* QUARANTINED: finish the move to quarantine;
* any other status: the event is a duplicate.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.aws import objects
from music_streams.errors import ObjectGone, Unreadable
from music_streams.ingest.batches import PendingSource, record_unavailable
from music_streams.ingest.launch import Launcher
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
    """Processes the sources that S3's events announce; a claim that is older than `lease_seconds` has expired."""

    s3: "S3Client"
    ledger: Ledger
    executions: Executions
    quarantine: Quarantine
    validator: FileValidator
    launcher: Launcher
    lease_seconds: float

    def process(self, source: Source) -> Outcome:
        """Claim and validate a source. If it was claimed before, complete what a crashed invocation did not."""
        claimed = self.ledger.claim(self._as_stored(source), self.lease_seconds)
        if claimed:
            return self._validate_arrived(claimed)
        entry = self.ledger.entry(source.source_id)
        if entry:
            self.resume(entry)
        return Outcome.DUPLICATE

    def resume(self, entry: Entry) -> bool:
        """Complete what a crashed invocation did not; return whether an execution has to start."""
        if entry.status is Status.VALID and entry.has_been_unchanged_for(self.lease_seconds):
            arn = self.executions.arn(entry.batch_id, entry.attempt)
            if self.executions.status(arn):
                return False
            self.launcher.add_execution(entry.batch_id, entry.attempt)
            return True
        if entry.status is Status.QUARANTINED:
            self.quarantine.finish(entry)
        return False

    def fail_unavailable(self, entry: Entry, error: ObjectGone | Unreadable) -> Outcome:
        """Record that the bytes of a file cannot be read; return the outcome of its message."""
        record_unavailable(self.ledger, entry, error)
        return Outcome.GONE if isinstance(error, ObjectGone) else Outcome.UNREADABLE

    def _as_stored(self, source: Source) -> Source:
        """Return the source with S3's size, and no arrival before LastModified, because an event can be forged."""
        try:
            stored = objects.read_metadata(self.s3, source)
        except Unreadable:
            return source  # Validation fails for the same reason and records it.
        if stored is None:
            return source
        return replace(
            source, size=stored.size, received_at=max(source.received_at, clock.timestamp(stored.modified_at))
        )

    def _validate_arrived(self, claimed: Entry) -> Outcome:
        try:
            validation = self.validator(claimed)
            if validation.verdict:
                self.quarantine.add(claimed, validation.verdict, validation.detail)
                return Outcome.QUARANTINED
        except (ObjectGone, Unreadable) as error:
            return self.fail_unavailable(claimed, error)
        self.launcher.add(PendingSource(claimed, validation=validation))
        return Outcome.VALID
