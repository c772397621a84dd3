"""Carries out requests of operators and Airflow: a new attempt of a source, or a run without sources of its own."""

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
from music_streams.state.requests import Action, Forget, Rebuild, Request, SourceRequest
from music_streams.state.run_files import Manifest, RunFolder, write_manifest
from music_streams.state.sources import Treatment, execution_name
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Validation, Verdict

log = logging.getLogger(__name__)

_RENEWED = {
    Action.REDRIVE: {Status.FAILED},
    Action.REPLAY: {Status.ARCHIVED},
    Action.RELEASE: {Status.QUARANTINED},
    Action.RETRACT: {Status.ARCHIVED, Status.FAILED},
    Action.PUT_ASIDE: {Status.FAILED},
}
"""The statuses at which an action begins a new attempt."""
_ACCEPTED = {
    Verdict.TOO_MANY_BAD_ROWS.value: Treatment.ACCEPT_BAD_ROWS,
    Verdict.TOO_MANY_DAYS.value: Treatment.ACCEPT_MANY_DAYS,
}
"""The treatment with which a file is released, by the verdict for which it was quarantined."""


@dataclass(frozen=True)
class OperatorRequests:
    """Carries out the requests of one invocation."""

    arrivals: Arrivals
    job_runs: JobRuns
    lake_bucket: str
    _ended: set[str] = field(default_factory=set)  # executions without an active job run

    def process(self, request: Request) -> Outcome:
        """Begin the requested work. Raises BadEvent if the request names a source that is not in the ledger."""
        return self._attempt(request) if isinstance(request, SourceRequest) else self._start_without_sources(request)

    def _attempt(self, request: SourceRequest) -> Outcome:
        entry = self.arrivals.ledger.entry(request.source_id)
        if entry is None:
            raise BadEvent(f"source {request.source_id} is not in the ledger: request an attempt of one that is")
        try:
            return self._start_attempt(entry, request)
        except (ObjectGone, Unreadable) as error:
            return self.arrivals.fail_unavailable(entry, error)

    def _start_attempt(self, entry: Entry, request: SourceRequest) -> Outcome:
        if entry.attempt != request.attempt:
            self.arrivals.resume(entry)
            return Outcome.DUPLICATE
        if request.action is Action.REDRIVE:
            if entry.status is Status.RECEIVED:
                return self.arrivals.process(entry.source)
            if self.arrivals.resume(entry) or self._finish_archiving(entry):
                return Outcome.RESUMED
            entry = self._failed_if_its_execution_ended(entry)
        if entry.status not in _RENEWED[request.action]:
            return Outcome.DUPLICATE
        if entry.source.kind.is_reference and not _applies_to_reference(entry, request.action):
            warning = "%s is a reference file, to which %s does not apply: upload a corrected file, or delete it"
            log.warning(warning, entry.source.uri, request.action, extra=_ids(entry))
            return Outcome.REFUSED
        return self._renew(entry, _treatment(entry, request.action))

    def _renew(self, entry: Entry, treatment: Treatment) -> Outcome:
        self._end_last_attempt(entry)
        validation = self.arrivals.validator(entry) if treatment.adds_rows else Validation(None)
        if treatment is Treatment.PUT_ASIDE and not objects.exists(self.arrivals.s3, entry.place):
            raise ObjectGone(f"{entry.place.uri} was deleted: there is nothing to quarantine")
        if verdict := validation.verdict:
            warning = "%s still fails validation: %s: %s"
            log.warning(warning, entry.place.uri, verdict, validation.detail, extra=_ids(entry))
            return Outcome.REFUSED
        self.arrivals.launcher.add(PendingSource(entry, treatment, validation))
        return Outcome.RENEWED

    def _finish_archiving(self, entry: Entry) -> bool:
        """Archive a published source whose execution has ended; return whether it was one."""
        if not awaits_archiving(entry) or self.arrivals.executions.is_alive(entry.execution_arn):
            return False
        archive_source(self.arrivals.s3, self.arrivals.ledger, entry)
        return True

    def _failed_if_its_execution_ended(self, entry: Entry) -> Entry:
        """Return the entry, changed to FAILED if its execution has ended and nothing recorded that."""
        arn = entry.execution_arn or self.arrivals.executions.arn(entry.batch_id, entry.attempt)
        is_old = entry.has_been_unchanged_for(self.arrivals.lease_seconds)
        if entry.status not in {Status.VALID, Status.RUNNING} or not is_old or self.arrivals.executions.is_alive(arn):
            return entry
        self._end_last_attempt(entry)
        fail_source(self.arrivals.ledger, entry, arn, "its execution ended, and that was not recorded")
        return self.arrivals.ledger.entry(entry.source.source_id) or entry

    def _end_last_attempt(self, entry: Entry) -> None:
        """Stop all active job runs of the last attempt, even if it succeeded.

        If Glue started a run and its answer was lost, nothing else finds that run, and it could delete the rows of the
        next attempt as older copies.
        """
        execution = execution_name(entry.batch_id, entry.attempt)
        if entry.batch_id and execution not in self._ended:
            self.job_runs.end(execution, self.arrivals.validator.has_time)
            self._ended.add(execution)

    def _start_without_sources(self, request: Rebuild | Forget) -> Outcome:
        """Write the manifest of a run without sources of its own, and start it."""
        days = request.days if isinstance(request, Rebuild) else []
        forget = [request.user_id] if isinstance(request, Forget) else []
        manifest = Manifest(request.batch_id, [], days, forget)
        write_manifest(self.arrivals.s3, RunFolder(self.lake_bucket, request.batch_id), manifest)
        self.arrivals.launcher.add_execution(request.batch_id, 1)
        return Outcome.ORDERED


def _ids(entry: Entry) -> dict[str, str]:
    return {"source_id": entry.source.source_id}


def _applies_to_reference(entry: Entry, action: Action) -> bool:
    """Whether an action applies to a reference file: it has no listens, and runs read it only at its landing key."""
    return action is not Action.RETRACT and (action is not Action.RELEASE or entry.stays_at_landing_key)


def _treatment(entry: Entry, action: Action) -> Treatment:
    """Return the treatment of the new attempt: that of the last one, unless the action sets another."""
    if action is Action.RELEASE:
        return _ACCEPTED.get(entry.reason, Treatment.NORMAL)
    if action is Action.PUT_ASIDE and not entry.is_retracted:
        return Treatment.PUT_ASIDE
    return Treatment.RETRACT if action is Action.RETRACT else entry.treatment
