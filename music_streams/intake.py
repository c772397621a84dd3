"""What validate does with a batch of queue messages: claim, judge, stage, write one manifest, start one execution.

Each step may be repeated. A message is taken from the queue only when all is done; after a crash it comes back, and
the ledger tells how far its source had come:

* RECEIVED, lease expired: claimed anew and judged again;
* RECEIVED, lease running: another delivery of the same event is at work, and *its* message is still in the queue,
  because the lease is shorter than the queue's visibility: this one may go;
* VALID for longer than the lease: its manifest is written; start the execution (its name makes a second start
  harmless). Earlier the invocation that wrote it may still be moving the rest of the batch, so the same holds;
* QUARANTINED: see that nothing of it stayed in ``incoming/``;
* anything else: the event was delivered twice.
"""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from music_streams import arrivals, objects
from music_streams.aws import PARALLEL_CALLS, error_code
from music_streams.errors import MusicStreamsError, ObjectGone
from music_streams.ledger import Entry, Ledger, Status
from music_streams.quarantine import Quarantine
from music_streams.runs import Manifest, ManifestSource, RunFolder, write_manifest
from music_streams.sources import batch_id_of, execution_name
from music_streams.verdicts import Judgement, judge

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_stepfunctions import SFNClient

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of one message."""

    VALID = "valid"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    GONE = "gone"


class OutOfTime(MusicStreamsError):
    """Too little of the function's time is left to begin another file: the message goes back to the queue."""


@dataclass(frozen=True)
class Intake:
    """The parts of AWS that validate works with.

    Attributes:
        lease_seconds: the function's time-out; a claim that is older than this belongs to nobody.
        max_file_bytes: the largest accepted file, uncompressed.
    """

    s3: "S3Client"
    step_functions: "SFNClient"
    ledger: Ledger
    quarantine: Quarantine
    lake_bucket: str
    state_machine_arn: str
    lease_seconds: float
    max_file_bytes: int

    def open_batch(self, seconds_left: Callable[[], float]) -> "IntakeBatch":
        """Begin a batch; `seconds_left` tells how much of the function's time remains."""
        return IntakeBatch(self, seconds_left)


@dataclass
class IntakeBatch:
    """One invocation's messages: :meth:`take` each, then :meth:`launch` once."""

    intake: Intake
    seconds_left: Callable[[], float]
    _valid: dict[str, tuple[Entry, Judgement]] = field(default_factory=dict)
    _to_start: set[tuple[str, int]] = field(default_factory=set)  # (batch_id, attempt)

    def take(self, body: str) -> Outcome:
        """Claim and judge the source of one message.

        Raises:
            BadEvent: the message can never be processed; the queue hands it to its dead-letter queue in the end.
            OutOfTime: it should come back.
        """
        source = arrivals.source_of(body)
        if source is None:
            return Outcome.IGNORED
        if self.seconds_left() < self.intake.lease_seconds / 4:
            raise OutOfTime(f"no time is left for {source.uri}")
        claimed = self.intake.ledger.receive(source, self.intake.lease_seconds)
        if claimed is None:
            return self._resume(source.source_id)
        return self._judge(claimed)

    def launch(self) -> None:
        """Stage the valid files, write their manifest, move them to VALID, start the execution.

        Until the ledger says VALID a crash leaves only claims that expire; after it, only an execution to start.
        """
        self._stage()
        if self._valid:
            batch_id = batch_id_of(self._valid)
            for claimed, _ in self._valid.values():
                if not self.intake.ledger.validate(claimed, batch_id):
                    log.warning("lost the claim on %s: the run will drop it", claimed.source.uri)
            self._to_start.add((batch_id, 1))
        for batch_id, attempt in sorted(self._to_start):
            self._start(batch_id, attempt)

    def _resume(self, source_id: str) -> Outcome:
        entry = self.intake.ledger.entry(source_id)
        if entry and entry.status is Status.VALID and entry.is_older_than(self.intake.lease_seconds):
            self._to_start.add((entry.batch_id, entry.attempt))
        elif entry and entry.status is Status.QUARANTINED:
            self.intake.quarantine.finish(entry)
        return Outcome.DUPLICATE

    def _judge(self, claimed: Entry) -> Outcome:
        source = claimed.source
        try:
            judgement = judge(source.key, objects.chunks(self.intake.s3, source), self.intake.max_file_bytes)
            if judgement.verdict:
                self.intake.quarantine.take(claimed, judgement.verdict, judgement.detail)
                return Outcome.QUARANTINED
        except ObjectGone as error:
            self._lose(claimed, error)
            return Outcome.GONE
        self._valid[source.source_id] = claimed, judgement
        return Outcome.VALID

    def _stage(self) -> None:
        """Copy the files to where Spark reads them (it sees neither versions nor all names), and list them.

        A version that was deleted in the meantime is lost; the others make a smaller batch.
        """
        if not self._valid:
            return
        folder = RunFolder(self.intake.lake_bucket, batch_id_of(self._valid))
        listed = [
            ManifestSource(
                source_id,
                claimed.source.kind,
                source_id + (".csv.gz" if judgement.is_gzip else ".csv"),
                judgement.header,
                claimed.source.received_at,
                claimed.source.size,
            )
            for source_id, (claimed, judgement) in sorted(self._valid.items())
        ]

        def is_copied(staged: ManifestSource) -> bool:
            claimed, _ = self._valid[staged.source_id]
            if claimed.source.kind.is_reference:
                return True
            try:
                objects.copy(self.intake.s3, claimed.source, folder.bucket, folder.key(f"input/{staged.input}"))
            except ObjectGone as error:
                self._lose(claimed, error)
                return False
            return True

        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            copied = {
                staged.source_id for staged, done in zip(listed, pool.map(is_copied, listed), strict=True) if done
            }
        if len(copied) == len(listed):
            write_manifest(self.intake.s3, folder, Manifest(folder.batch_id, listed))
        else:
            self._valid = {source_id: self._valid[source_id] for source_id in copied}
            self._stage()

    def _lose(self, claimed: Entry, error: ObjectGone) -> None:
        log.warning("%s", error)
        self.intake.ledger.lose(claimed)

    def _start(self, batch_id: str, attempt: int) -> None:
        """Start the execution. While it runs the same name and input is the same execution, and after it is known."""
        folder = RunFolder(self.intake.lake_bucket, batch_id)
        try:
            self.intake.step_functions.start_execution(
                stateMachineArn=self.intake.state_machine_arn,
                name=execution_name(batch_id, attempt),
                input=json.dumps({"manifest": folder.manifest_uri}),
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            log.info("execution %s has ended already", execution_name(batch_id, attempt))
