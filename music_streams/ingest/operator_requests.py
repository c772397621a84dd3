"""What operators ask for: another attempt of a source, or a run without sources of its own."""

import logging
from dataclasses import dataclass, field

from music_streams.aws import objects
from music_streams.errors import BadEvent, ObjectGone, Unreadable
from music_streams.ingest.arrivals import Arrivals
from music_streams.ingest.batches import PendingSource
from music_streams.ingest.outcomes import Outcome
from music_streams.run.archive import archive_source, awaits_archiving
from music_streams.run.failure import fail_source
from music_streams.run.job_runs import JobRuns
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action, Attempt, Forget, Rebuild, Request
from music_streams.state.run_files import Manifest, RunFolder, write_manifest
from music_streams.state.sources import Treatment, execution_name
from music_streams.state.statuses import Status
from music_streams.validation.verdicts import Validation, Verdict

log = logging.getLogger(__name__)

_RENEWED = {
    Action.REDRIVE: {Status.FAILED},
    Action.REPLAY: {Status.ARCHIVED},
    Action.RELEASE: {Status.QUARANTINED},
    Action.RETRACT: {Status.ARCHIVED, Status.FAILED},
    Action.PUT_ASIDE: {Status.FAILED},
}
"""At which statuses of a source an action makes a new attempt of it."""
_OF_STREAMS_ALONE = {Action.RELEASE, Action.RETRACT}
_ACCEPTED = {
    Verdict.TOO_MANY_BAD_ROWS.value: Treatment.ACCEPT_BAD_ROWS,
    Verdict.TOO_MANY_DAYS.value: Treatment.ACCEPT_MANY_DAYS,
}
"""What a release accepts, by the reason for the quarantine."""


@dataclass(frozen=True)
class OperatorRequests:
    """Carries out the requests of one invocation."""

    arrivals: Arrivals
    job_runs: JobRuns
    lake_bucket: str
    _ended: set[str] = field(default_factory=set)  # executions of which nothing is alive

    def take(self, request: Request) -> Outcome:
        """Begin what is asked for.

        Raises:
            BadEvent: it names a source that the ledger does not know.
        """
        return self._attempt(request) if isinstance(request, Attempt) else self._order(request)

    def _attempt(self, request: Attempt) -> Outcome:
        entry = self.arrivals.ledger.entry(request.source_id)
        if entry is None:
            raise BadEvent(f"the ledger knows no source {request.source_id}: a request names one that it has")
        try:
            return self._start_attempt(entry, request)
        except (ObjectGone, Unreadable) as error:
            return self.arrivals.lost(entry, error)

    def _start_attempt(self, entry: Entry, request: Attempt) -> Outcome:
        if entry.attempt != request.attempt:
            self.arrivals.resume(entry)
            return Outcome.DUPLICATE
        if request.action is Action.REDRIVE:
            if entry.status is Status.RECEIVED:
                return self.arrivals.take(entry.source)
            if self.arrivals.resume(entry) or self._finish_archiving(entry):
                return Outcome.RESUMED
            entry = self._failed_if_its_execution_ended(entry)
        if entry.status not in _RENEWED[request.action]:
            return Outcome.DUPLICATE
        if request.action in _OF_STREAMS_ALONE and entry.source.kind.is_reference:
            why = "%s is reference data, which runs read where it lands: put the right file there, or delete this one"
            log.warning(why, entry.source.uri, extra=_about(entry))
            return Outcome.REFUSED
        return self._renew(entry, _treatment(entry, request.action))

    def _renew(self, entry: Entry, treatment: Treatment) -> Outcome:
        self._end_attempt_before(entry)
        validation = self.arrivals.validate(entry) if treatment.adds_rows else Validation(None)
        if treatment is Treatment.PUT_ASIDE and not objects.exists(self.arrivals.s3, entry.place):
            raise ObjectGone(f"{entry.place.uri} was deleted: there is nothing to put aside")
        if verdict := validation.verdict:
            log.warning("%s is still %s: %s", entry.place.uri, verdict, validation.detail, extra=_about(entry))
            return Outcome.REFUSED
        self.arrivals.launch.add(PendingSource(entry, treatment, validation))
        return Outcome.RENEWED

    def _finish_archiving(self, entry: Entry) -> bool:
        """Take the last steps for a source whose metrics stand and whose execution is over; whether it was one."""
        if not awaits_archiving(entry) or self.arrivals.executions.is_alive(entry.execution_arn):
            return False
        archive_source(self.arrivals.s3, self.arrivals.ledger, entry)
        return True

    def _failed_if_its_execution_ended(self, entry: Entry) -> Entry:
        """The entry, moved to FAILED where its execution is over and that was never recorded."""
        arn = entry.execution_arn or self.arrivals.executions.arn(entry.batch_id, entry.attempt)
        is_old = entry.is_older_than(self.arrivals.lease_seconds)
        if entry.status not in {Status.VALID, Status.RUNNING} or not is_old or self.arrivals.executions.is_alive(arn):
            return entry
        self._end_attempt_before(entry)
        fail_source(self.arrivals.ledger, entry, arn, "its execution ended, and that was not recorded")
        return self.arrivals.ledger.entry(entry.source.source_id) or entry

    def _end_attempt_before(self, entry: Entry) -> None:
        """See that no job run of the attempt before is alive, also of one that ended well.

        Of a run whose start went unanswered nobody else knows: it could remove, as older copies, what the next brings.
        """
        execution = execution_name(entry.batch_id, entry.attempt)
        if entry.batch_id and execution not in self._ended:
            self.job_runs.end(execution, self.arrivals.validate.has_time)
            self._ended.add(execution)

    def _order(self, request: Rebuild | Forget) -> Outcome:
        """Write the manifest of a run without sources of its own."""
        days = request.days if isinstance(request, Rebuild) else []
        forget = [request.user_id] if isinstance(request, Forget) else []
        manifest = Manifest(request.batch_id, [], days, forget)
        write_manifest(self.arrivals.s3, RunFolder(self.lake_bucket, request.batch_id), manifest)
        self.arrivals.launch.start(request.batch_id, 1)
        return Outcome.ORDERED


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
