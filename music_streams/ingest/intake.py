"""Processes the messages that one invocation of the function `validate` receives from the arrivals queue.

A message is an S3 event (arrivals.py) or a request (operator_requests.py). The sources to run are collected
(launch.py), staged and listed in a manifest (batches.py), and their execution is started.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams.ingest import s3_events
from music_streams.ingest.arrivals import Arrivals
from music_streams.ingest.batches import Batches
from music_streams.ingest.launch import Launcher
from music_streams.ingest.operator_requests import OperatorRequests
from music_streams.ingest.outcomes import Outcome
from music_streams.ingest.time_limits import FileValidator, InvocationOutOfTime
from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.state import requests
from music_streams.state.ledger import Ledger
from music_streams.state.requests import Forget, Rebuild, Request, SourceRequest
from music_streams.state.sources import Source

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intake:
    """The AWS clients and settings of the function `validate`.

    Attributes:
        landing_bucket: the only bucket whose events are accepted.
        timeout_seconds: the function's timeout.
        lease_seconds: a claim that is older than this has expired; equal to `timeout_seconds` in a deployment.
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

    def start_invocation(self, seconds_left: Callable[[], float]) -> "Invocation":
        """Return an invocation; `seconds_left` returns how much of the function's time remains."""
        validator = FileValidator(self.s3, seconds_left, self.timeout_seconds, self.max_file_bytes)
        launcher = Launcher(Batches(self.s3, self.ledger, self.lake_bucket), self.executions)
        arrivals = Arrivals(
            self.s3, self.ledger, self.executions, self.quarantine, validator, launcher, self.lease_seconds
        )
        return Invocation(self.landing_bucket, arrivals, OperatorRequests(arrivals, self.job_runs, self.lake_bucket))


@dataclass(frozen=True)
class Invocation:
    """The messages of one invocation: :meth:`process` each, then :meth:`launch` once."""

    _landing_bucket: str
    _arrivals: Arrivals
    _operator_requests: OperatorRequests

    def process(self, body: str) -> Outcome:
        """Claim and validate the source of one message, or carry out a request; return the outcome.

        Raises:
            BadEvent: the message can never be processed; SQS eventually moves it to the dead-letter queue.
            InvocationOutOfTime: too little time is left; another invocation must process the message.
        """
        request = requests.parse(body)
        source = None if request else s3_events.source_of(body, self._landing_bucket)
        message = source or request
        if message is None:
            return Outcome.IGNORED
        if isinstance(message, Source | SourceRequest) and not self._arrivals.validator.has_time():
            name = message.uri if isinstance(message, Source) else f"the {message.action} of {message.source_id}"
            raise InvocationOutOfTime(f"too little time is left to process {name}: its message returns to the queue")
        if isinstance(message, Source):
            outcome = self._arrivals.process(message)
        else:
            outcome = self._operator_requests.process(message)
        log.info("message processed: %s", outcome, extra={**_ids(message), "outcome": outcome.value})
        return outcome

    def launch(self) -> None:
        """Create the batches of the pending sources and start their executions."""
        try:
            self._arrivals.launcher.start_executions()
        finally:  # Alerts come last, so that a failure to send them does not prevent valid files from being processed.
            self._arrivals.quarantine.flush()


def _ids(message: Source | Request) -> dict[str, str]:
    """Return the ids for a log line about a message; none of them identifies a user."""
    return {"batch_id": message.batch_id} if isinstance(message, Rebuild | Forget) else {"source_id": message.source_id}
