"""What validate does with a batch of queue messages: claim, judge, stage, write manifests, start executions.

A message is an S3 event, or a request of an operator (see requests). Each step may be repeated. A message is taken
from the queue only when all is done; after a crash it comes back, and the ledger tells how far its source had come:

* RECEIVED, lease expired: claimed anew and judged again;
* RECEIVED, lease running: another delivery of the same event is at work, and *its* message is still in the queue,
  because the lease is shorter than the queue's visibility: this one may go;
* VALID for longer than the lease: its manifest is written; start the execution (its name makes a second start
  harmless). Earlier the invocation that wrote it may still be moving the rest of the batch, so the same holds;
* QUARANTINED: see that nothing of it stayed where it lay;
* anything else: the event was delivered twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from music_streams.aws import objects
from music_streams.errors import BadEvent, MusicStreamsError, ObjectGone, Unreadable
from music_streams.ingest import s3_events
from music_streams.ingest.batches import Batches, Taken, groups
from music_streams.run.archive import archive_source, awaits_archiving
from music_streams.run.executions import Executions
from music_streams.run.failure import fail_source
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.state import requests
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry, Ledger
from music_streams.state.requests import Action, Attempt, Forget, Rebuild
from music_streams.state.run_files import Manifest, RunFolder, write_manifest
from music_streams.state.sources import Source, Treatment, execution_name
from music_streams.state.statuses import Status
from music_streams.validation.verdicts import Judgement, Verdict, judge

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

# Shares of the function's time. A file begins while the first is left, is read for as long as the second, and stops in
# any case while the third is left, so that what was validated before it is staged and launched.
_BEGIN_SHARE, _FILE_SHARE, _LAUNCH_SHARE = 0.25, 0.4, 0.2
_RENEWED = {
    (Action.REDRIVE, Status.FAILED),
    (Action.REPLAY, Status.ARCHIVED),
    (Action.RELEASE, Status.QUARANTINED),
    (Action.RETRACT, Status.ARCHIVED),
    (Action.RETRACT, Status.FAILED),
    (Action.PUT_ASIDE, Status.FAILED),
}
"""Which actions make a new attempt of a source, by where it stands."""


_ACCEPTED = {
    Verdict.TOO_MANY_BAD_ROWS.value: Treatment.ACCEPT_BAD_ROWS,
    Verdict.TOO_MANY_DAYS.value: Treatment.ACCEPT_MANY_DAYS,
}
"""What a release accepts, by the reason for the quarantine."""


class Outcome(StrEnum):
    """What became of one message."""

    VALID = "valid"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    GONE = "gone"
    UNREADABLE = "unreadable"
    """S3 does not give its bytes."""
    RENEWED = "renewed"
    """Another attempt begins."""
    RESUMED = "resumed"
    """What stood still was carried on."""
    REFUSED = "refused"
    """The file is still one that cannot be processed."""
    ORDERED = "ordered"
    """A run without sources of its own begins."""


class OutOfTime(MusicStreamsError):
    """Too little of the function's time is left for the file: the message goes back to the queue."""


@dataclass(frozen=True)
class Intake:
    """The parts of AWS that validate works with.

    Attributes:
        landing_bucket: the only bucket whose events are believed.
        timeout_seconds: the function's time-out.
        lease_seconds: the same; a claim that is older than this belongs to nobody.
        max_file_bytes: the largest accepted file, uncompressed.
    """

    s3: "S3Client"
    executions: Executions
    job_runs: JobRuns
    ledger: Ledger
    quarantine: Quarantine
    landing_bucket: str
    lake_bucket: str
    timeout_seconds: float
    lease_seconds: float
    max_file_bytes: int

    @property
    def batches(self) -> Batches:
        """Where sources that were taken become runs."""
        return Batches(self.s3, self.ledger, self.lake_bucket)

    def open_batch(self, seconds_left: Callable[[], float]) -> "IntakeBatch":
        """Begin a batch; `seconds_left` tells how much of the function's time remains."""
        return IntakeBatch(self, seconds_left)


@dataclass
class IntakeBatch:
    """One invocation's messages: :meth:`take` each, then :meth:`launch` once."""

    intake: Intake
    seconds_left: Callable[[], float]
    _taken: dict[str, Taken] = field(default_factory=dict)
    _to_start: set[tuple[str, int]] = field(default_factory=set)  # (batch_id, attempt)
    _ended: set[str] = field(default_factory=set)  # executions of which nothing is alive

    def take(self, body: str) -> Outcome:
        """Claim and judge the source of one message, or begin what an operator asks for.

        Raises:
            BadEvent: the message can never be processed; the queue hands it to its dead-letter queue in the end.
            OutOfTime: it should come back, for another invocation to do.
        """
        request = requests.parse(body)
        if isinstance(request, Rebuild | Forget):
            return self._order(request)
        source = None if request else s3_events.source_of(body, self.intake.landing_bucket)
        if not (source or request):
            return Outcome.IGNORED
        if not self._has_time():
            raise OutOfTime(f"no time is left for {source.uri if source else request}")
        outcome = self._attempt(request) if request else self._arrive(source)  # type: ignore[arg-type]  # one of them is there
        about = request.source_id if request else source.source_id  # type: ignore[union-attr]  # as above
        log.info("message taken: %s", outcome, extra={"source_id": about, "outcome": outcome.value})
        return outcome

    def launch(self) -> None:
        """Bring the sources that were taken to VALID in batches, and start the executions.

        Until the ledger says VALID a crash leaves only claims that expire; after it, only an execution to start.
        """
        try:
            for group in groups(self._taken.values()):
                self._to_start |= self.intake.batches.make_valid(group)
            for batch_id, attempt in sorted(self._to_start):
                self.intake.executions.start(RunFolder(self.intake.lake_bucket, batch_id), attempt)
        finally:  # last, so that trouble with alerts keeps no good file from its run
            self.intake.quarantine.flush()

    def _arrive(self, source: Source) -> Outcome:
        claimed = self.intake.ledger.receive(source, self.intake.lease_seconds)
        if claimed:
            return self._judge_arrived(claimed)
        entry = self.intake.ledger.entry(source.source_id)
        if entry:
            self._resume(entry)
        return Outcome.DUPLICATE

    def _judge_arrived(self, claimed: Entry) -> Outcome:
        try:
            judgement = self._judge(claimed)
            if judgement.verdict:
                self.intake.quarantine.take(claimed, judgement.verdict, judgement.detail)
                return Outcome.QUARANTINED
        except (ObjectGone, Unreadable) as error:
            return self._lost(claimed, error)
        self._taken[claimed.source.source_id] = Taken(claimed, judgement=judgement)
        return Outcome.VALID

    def _lost(self, entry: Entry, error: ObjectGone | Unreadable) -> Outcome:
        """What becomes of a file whose bytes cannot be had: the ledger says why, unless it had come further."""
        log.warning("%s", error, extra=_about(entry))
        is_gone = isinstance(error, ObjectGone)
        if entry.status is Status.RECEIVED:
            self.intake.ledger.lose(entry, OBJECT_GONE if is_gone else UNREADABLE)
        return Outcome.GONE if is_gone else Outcome.UNREADABLE

    def _attempt(self, request: Attempt) -> Outcome:
        entry = self.intake.ledger.entry(request.source_id)
        if entry is None:
            raise BadEvent(f"the ledger knows no source {request.source_id}: a request names one that it has")
        try:
            return self._act(entry, request)
        except (ObjectGone, Unreadable) as error:
            return self._lost(entry, error)

    def _act(self, entry: Entry, request: Attempt) -> Outcome:
        if entry.attempt != request.attempt:
            self._resume(entry)
            return Outcome.DUPLICATE
        if request.action is Action.REDRIVE:
            if entry.status is Status.RECEIVED:
                return self._arrive(entry.source)
            if self._resume(entry) or self._carry_on(entry):
                return Outcome.RESUMED
            entry = self._released_by_the_dead(entry)
        if (request.action, entry.status) not in _RENEWED:
            return Outcome.DUPLICATE
        if request.action is Action.RELEASE and entry.source.kind.is_reference:
            told = "%s is reference data, which runs read where it lands: put it there again"
            log.warning(told, entry.source.uri, extra=_about(entry))
            return Outcome.REFUSED
        return self._renew(entry, _treatment(entry, request.action))

    def _renew(self, entry: Entry, treatment: Treatment) -> Outcome:
        self._end_attempt_before(entry)
        taken = Taken(entry, treatment)
        if treatment.brings_rows:
            taken = Taken(entry, treatment, self._judge(entry))
        elif treatment is Treatment.PUT_ASIDE and not objects.exists(self.intake.s3, entry.place):
            raise ObjectGone(f"{entry.place.uri} was deleted: there is nothing to put aside")
        if taken.judgement.verdict:
            verdict = taken.judgement.verdict
            log.warning("%s is still %s: %s", entry.place.uri, verdict, taken.judgement.detail, extra=_about(entry))
            return Outcome.REFUSED
        self._taken[entry.source.source_id] = taken
        return Outcome.RENEWED

    def _resume(self, entry: Entry) -> bool:
        """See to the end of what an invocation that died has left; whether there was something."""
        if entry.status is Status.VALID and entry.is_older_than(self.intake.lease_seconds):
            arn = self.intake.executions.arn(entry.batch_id, entry.attempt)
            if self.intake.executions.status(arn):
                return False
            self._to_start.add((entry.batch_id, entry.attempt))
            return True
        if entry.status is Status.QUARANTINED:
            self.intake.quarantine.finish(entry)
        return False

    def _carry_on(self, entry: Entry) -> bool:
        """Take the last steps for a source whose metrics stand and whose execution is over; whether it was one."""
        if not awaits_archiving(entry) or self.intake.executions.is_alive(entry.execution_arn):
            return False
        archive_source(self.intake.s3, self.intake.ledger, entry)
        return True

    def _released_by_the_dead(self, entry: Entry) -> Entry:
        """The entry, moved to FAILED where its execution is over and that was never recorded."""
        arn = entry.execution_arn or self.intake.executions.arn(entry.batch_id, entry.attempt)
        waits_for_it = entry.status in {Status.VALID, Status.RUNNING} and entry.is_older_than(self.intake.lease_seconds)
        if not waits_for_it or self.intake.executions.is_alive(arn):
            return entry
        self._end_attempt_before(entry)
        fail_source(self.intake.ledger, entry, arn, "its execution ended, and that was not recorded")
        return self.intake.ledger.entry(entry.source.source_id) or entry

    def _end_attempt_before(self, entry: Entry) -> None:
        """See that no job run of the attempt before is alive, also of one that ended well.

        Of a run whose start went unanswered nobody else knows: it could remove, as older copies, what the next brings.
        """
        execution = execution_name(entry.batch_id, entry.attempt)
        if entry.batch_id and execution not in self._ended:
            self.intake.job_runs.end(execution, self._has_time)
            self._ended.add(execution)

    def _order(self, request: Rebuild | Forget) -> Outcome:
        """Write the manifest of a run without sources of its own."""
        days = request.days if isinstance(request, Rebuild) else []
        forget = [request.user_id] if isinstance(request, Forget) else []
        manifest = Manifest(request.batch_id, [], days, forget)
        write_manifest(self.intake.s3, RunFolder(self.intake.lake_bucket, request.batch_id), manifest)
        self._to_start.add((request.batch_id, 1))
        log.info("a run was asked for", extra={"batch_id": request.batch_id, "outcome": Outcome.ORDERED.value})
        return Outcome.ORDERED

    def _judge(self, entry: Entry) -> Judgement:
        """Judge a file within its share of the function's time; a file that outlasts it is too slow.

        Raises:
            OutOfTime: not its share ran out but the invocation, which others have used.
        """
        share = _FILE_SHARE * self.intake.timeout_seconds
        begun_at = self.seconds_left()
        until = max(begun_at - share, _LAUNCH_SHARE * self.intake.timeout_seconds)
        content = objects.chunks(self.intake.s3, entry.place)
        judgement = judge(entry.source.key, content, self.intake.max_file_bytes, lambda: self.seconds_left() > until)
        if judgement.verdict is Verdict.TOO_SLOW and begun_at - until < share:
            raise OutOfTime(f"too little time was left for {entry.place.uri}: it is validated by another invocation")
        return judgement

    def _has_time(self) -> bool:
        return self.seconds_left() > _BEGIN_SHARE * self.intake.timeout_seconds


def _about(entry: Entry) -> dict[str, str]:
    """The keys of lines about a source."""
    return {"source_id": entry.source.source_id}


def _treatment(entry: Entry, action: Action) -> Treatment:
    """How the new attempt is to take a source: as the one before, unless it was decided otherwise."""
    if action is Action.RELEASE:
        return _ACCEPTED.get(entry.reason, Treatment.NORMAL)
    if action is Action.PUT_ASIDE and not entry.is_retracted:
        return Treatment.PUT_ASIDE
    return Treatment.RETRACT if action is Action.RETRACT else entry.treatment
