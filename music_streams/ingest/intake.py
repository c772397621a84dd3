"""The door of the pipeline: what validate does with a batch of queue messages.

A message is an S3 event (arrivals.py) or a request of an operator (operator_requests.py). What is to run is collected
(launch.py), made a batch, staged and listed in a manifest (batches.py), and its execution started.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams.ingest import s3_events
from music_streams.ingest.arrivals import Arrivals
from music_streams.ingest.batches import Batches
from music_streams.ingest.launch import Launch
from music_streams.ingest.operator_requests import OperatorRequests
from music_streams.ingest.outcomes import Outcome
from music_streams.ingest.time_limits import FileValidator, OutOfTime
from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.state import requests
from music_streams.state.ledger import Ledger
from music_streams.state.requests import Attempt, Forget, Rebuild, Request
from music_streams.state.sources import Source

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


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

    def open_batch(self, seconds_left: Callable[[], float]) -> "IntakeBatch":
        """Begin a batch; `seconds_left` tells how much of the function's time remains."""
        validate = FileValidator(self.s3, seconds_left, self.timeout_seconds, self.max_file_bytes)
        launch = Launch(Batches(self.s3, self.ledger, self.lake_bucket), self.executions)
        arrivals = Arrivals(
            self.s3, self.ledger, self.executions, self.quarantine, validate, launch, self.lease_seconds
        )
        return IntakeBatch(self.landing_bucket, arrivals, OperatorRequests(arrivals, self.job_runs, self.lake_bucket))


@dataclass(frozen=True)
class IntakeBatch:
    """One invocation's messages: :meth:`take` each, then :meth:`launch` once."""

    _landing_bucket: str
    _arrivals: Arrivals
    _operator_requests: OperatorRequests

    def take(self, body: str) -> Outcome:
        """Claim and judge the source of one message, or begin what an operator asks for.

        Raises:
            BadEvent: the message can never be processed; the queue hands it to its dead-letter queue in the end.
            OutOfTime: it should come back, for another invocation to do.
        """
        request = requests.parse(body)
        source = None if request else s3_events.source_of(body, self._landing_bucket)
        about = source or request
        if about is None:
            return Outcome.IGNORED
        if isinstance(about, Source | Attempt) and not self._arrivals.validate.has_time():
            raise OutOfTime(f"no time is left for {about.uri if isinstance(about, Source) else about}")
        outcome = self._arrivals.take(about) if isinstance(about, Source) else self._operator_requests.take(about)
        log.info("message taken: %s", outcome, extra={**_ids(about), "outcome": outcome.value})
        return outcome

    def launch(self) -> None:
        """Make runs of what was taken, and start them; what was judged is in no run until then."""
        try:
            self._arrivals.launch.go()
        finally:  # last, so that trouble with alerts keeps no good file from its run
            self._arrivals.quarantine.flush()


def _ids(about: Source | Request) -> dict[str, str]:
    """The keys of a line about a message; none of them names a user."""
    return {"batch_id": about.batch_id} if isinstance(about, Rebuild | Forget) else {"source_id": about.source_id}
