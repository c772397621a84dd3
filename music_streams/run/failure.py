"""The one failure path: an execution that failed, timed out or was aborted leaves its sources FAILED, with an alert.

The inputs stay where they are, and the alert names them.
"""

import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from music_streams.aws.alert_topic import Alerts, listed
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.run.job_runs import JobRuns
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import RunFolder, read_manifest
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_stepfunctions import SFNClient

log = logging.getLogger(__name__)

_KNOWN_REASONS = re.compile(r"\b(no_reference_data)\b")
_MAX_REASON = 300  # characters


@dataclass(frozen=True)
class FailurePath:
    """Where an execution that did not succeed comes to rest."""

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    job_runs: JobRuns
    step_functions: "SFNClient"

    def record(self, detail: dict[str, Any], has_time: Callable[[], bool]) -> int:
        """End what is left of an execution, then move its sources to FAILED.

        FAILED means that nothing of the execution is alive: a redrive cannot meet it.

        Args:
            detail: the `detail` of a "Step Functions Execution Status Change" event: executionArn, name, status,
                input, error, cause. Of what it leaves out, the last three are asked of the execution.
            has_time: whether there is time to wait for job runs to end.

        Raises:
            JobRunsAlive: its job runs have not ended yet; a repeat goes on.
            ClientError, BotoCoreError: the event has no input, and Step Functions did not give it.

        Returns:
            How many sources failed with it. Sources that the execution had published already stay PUBLISHED.
        """
        self.job_runs.end(detail["name"], has_time)
        execution_arn = detail["executionArn"]
        detail = self._completed(detail)
        folder = RunFolder.of_manifest(json.loads(detail["input"])["manifest"])
        reason = _reason(detail)
        source_ids = read_manifest(self.s3, folder).source_ids
        entries = list(self.ledger.entries(source_ids).values())
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(lambda entry: fail_source(self.ledger, entry, execution_arn, reason), entries))
        ours = [entry for entry in self.ledger.entries(source_ids).values() if entry.execution_arn == execution_arn]
        failed = [entry.source.uri for entry in ours if entry.status is Status.FAILED]
        published = [entry.source.uri for entry in ours if entry.status is Status.PUBLISHED]
        self.alerts.send(
            f"music-streams: execution {detail['name']} {detail['status']}",
            [
                f"Execution {execution_arn} ended {detail['status']}.",
                f"Reason: {reason}",
                "Once the cause is mended: music-streams redrive",
                *(["Inputs that failed with it and stay in place:", *listed(failed)] if failed else []),
                *(["Inputs whose metrics stand, not archived yet:", *listed(published)] if published else []),
            ],
        )
        return len(failed)

    def _completed(self, detail: dict[str, Any]) -> dict[str, Any]:
        """The detail with what the event leaves out: it need not have error and cause, nor a long input."""
        has_reason = detail.get("error") or detail.get("cause")
        if detail.get("input") and has_reason:
            return detail
        try:
            described = self.step_functions.describe_execution(executionArn=detail["executionArn"])
        except (ClientError, BotoCoreError) as error:
            if not detail.get("input"):
                raise
            # A failure without its reason is still recorded: its files must not stay RUNNING.
            log.warning("cannot read why %s ended: %s", detail["executionArn"], error)
            return detail
        missing = {name: described.get(name) for name in ("input", "error", "cause") if not detail.get(name)}
        return {**detail, **missing}

    def report_job(self, detail: dict[str, Any]) -> None:
        """Alert of a run of a job that no execution waits for: no file depends on it, and its next run does its work.

        Args:
            detail: the `detail` of a "Glue Job State Change" event: jobName, jobRunId, state, message.
        """
        self.alerts.send(
            f"music-streams: {detail['jobName']} {detail['state']}",
            [
                f"Run {detail['jobRunId']} of {detail['jobName']} ended {detail['state']}.",
                f"Reason: {str(detail.get('message') or detail['state'])[:_MAX_REASON]}",
                "Files and metrics go on without it; the lake grows until it succeeds.",
                "Once the cause is mended: music-streams maintain",
            ],
        )


def fail_source(ledger: Ledger, entry: Entry, execution_arn: str, reason: str) -> None:
    """Move a source to FAILED where the execution, which is over, has it or was to have it."""
    if entry.status is Status.VALID:
        # It ended before it could claim: the source is taken in its name, lest it wait for ever.
        ledger.run(entry, execution_arn)
    ledger.fail(entry, execution_arn, reason)


def _reason(detail: dict[str, Any]) -> str:
    """A known reason of the contract where the cause names one, else status, error and cause, shortened."""
    told = [detail["status"], detail.get("error"), _message(detail.get("cause") or "")]
    text = ": ".join(str(each) for each in told if each)
    known = _KNOWN_REASONS.search(text)
    return known[1] if known else text[:_MAX_REASON]


def _message(cause: str) -> str:
    """What a cause says: tasks give theirs as JSON, a job run's with ErrorMessage, a function's with errorMessage."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    message = (told.get("ErrorMessage") or told.get("errorMessage")) if isinstance(told, dict) else None
    return str(message or cause)
