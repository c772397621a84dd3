"""Records failures: the sources of an execution that failed, timed out or was aborted become FAILED, with an alert.

The files stay where they are, and the alert names them.
"""

import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from music_streams import display
from music_streams.aws.alert_sender import Alerts, listed
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
_RUNBOOK = "docs/runbooks.md#runs-fail"
_STEPS = (
    "Airflow retries the files, and quarantines a streams file that keeps failing while other files are published.",
    "What to do (FILE: a source_id from the lines below):",
    "1. music-streams show FILE",
    f"2. Wait, or fix the cause: {_RUNBOOK}",
    "3. After a fix: music-streams redrive FILE",
)


@dataclass(frozen=True)
class FailurePath:
    """Records executions and job runs that did not succeed."""

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    job_runs: JobRuns
    step_functions: "SFNClient"

    def record(self, detail: dict[str, Any], has_time: Callable[[], bool]) -> int:
        """Stop the job runs of an execution, then change its sources to FAILED.

        FAILED means that nothing of the execution is active, so it cannot collide with a redrive.

        Args:
            detail: the `detail` of a "Step Functions Execution Status Change" event: executionArn, name, status,
                input, error, cause. If one of the last three is missing, DescribeExecution supplies it.
            has_time: returns whether there is time to wait for job runs to end.

        Raises:
            JobRunsAlive: its job runs have not ended yet; a retry continues.
            ClientError, BotoCoreError: the event has no input, and DescribeExecution failed.

        Returns:
            How many sources failed. Sources that the execution had published stay PUBLISHED.
        """
        self.job_runs.end(detail["name"], has_time)
        execution_arn = detail["executionArn"]
        detail = self._completed(detail)
        folder = RunFolder.of_manifest(json.loads(detail["input"])["manifest"])
        text = _text(detail)
        known = _KNOWN_REASONS.search(text)
        reason = known[1] if known else display.cut(text, _MAX_REASON)
        source_ids = read_manifest(self.s3, folder).source_ids
        entries = list(self.ledger.entries(source_ids).values())
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(lambda entry: fail_source(self.ledger, entry, execution_arn, reason), entries))
        held = [entry for entry in self.ledger.entries(source_ids).values() if entry.execution_arn == execution_arn]
        failed = [_line(entry) for entry in held if entry.status is Status.FAILED]
        published = [_line(entry) for entry in held if entry.status is Status.PUBLISHED]
        self.alerts.send(
            f"music-streams: execution {detail['name']} {detail['status']}",
            [
                f"Execution: {execution_arn}",
                f"Reason: {text[known.start() :] if known else reason}",
                *(_STEPS if failed else [f"What to do: {_RUNBOOK}"]),
                *(["Failed files (not moved, nothing is lost):", *listed(failed)] if failed else []),
                *(
                    ["Published files, to be archived by music-streams redrive:", *listed(published)]
                    if published
                    else []
                ),
            ],
        )
        return len(failed)

    def _completed(self, detail: dict[str, Any]) -> dict[str, Any]:
        """Add input, error and cause if they are missing: an event has no long input, and not always the others."""
        has_reason = detail.get("error") or detail.get("cause")
        if detail.get("input") and has_reason:
            return detail
        try:
            described = self.step_functions.describe_execution(executionArn=detail["executionArn"])
        except (ClientError, BotoCoreError) as error:
            if not detail.get("input"):
                raise
            # The failure is recorded even without its reason, because its files must not stay RUNNING.
            log.warning("cannot read why %s failed; its files fail without a reason: %s", detail["executionArn"], error)
            return detail
        missing = {name: described.get(name) for name in ("input", "error", "cause") if not detail.get(name)}
        return {**detail, **missing}

    def report_job(self, detail: dict[str, Any]) -> None:
        """Send an alert about a failed run of maintain-lake: no file depends on it, and its next run continues.

        Args:
            detail: the `detail` of a "Glue Job State Change" event: jobName, jobRunId, state, message.
        """
        self.alerts.send(
            f"music-streams: {detail['jobName']} {detail['state']}",
            [
                f"Run {detail['jobRunId']} of {detail['jobName']} ended with state {detail['state']}.",
                f"Reason: {display.cut(str(detail.get('message') or detail['state']), _MAX_REASON)}",
                "Files and metrics are not affected. Until a run succeeds, the lake needs more storage.",
                "What to do: fix the cause (docs/runbooks.md#maintenance-fails), then run: music-streams maintain",
            ],
        )


def fail_source(ledger: Ledger, entry: Entry, execution_arn: str, reason: str) -> None:
    """Change a source to FAILED if the execution, which has ended, holds it or was about to claim it."""
    if entry.status is Status.VALID:
        # It ended before it claimed the source. Without this claim, the source would stay VALID.
        ledger.mark_running(entry, execution_arn)
    ledger.mark_failed(entry, execution_arn, reason)


def _line(entry: Entry) -> str:
    """Return the line of an alert about a file, with its source_id for the commands."""
    return f"{entry.source.uri} (source_id {entry.source.source_id})"


def _text(detail: dict[str, Any]) -> str:
    """Return error and cause; the status only if it is not FAILED, or if there is neither."""
    parts = [detail.get("error"), _message(detail.get("cause") or "")]
    if detail["status"] != "FAILED" or not any(parts):
        parts.insert(0, detail["status"])
    return ": ".join(str(part) for part in parts if part)


def _message(cause: str) -> str:
    """Return the message in a task's cause, which is JSON: Glue's key is ErrorMessage, Lambda's errorMessage."""
    try:
        fields = json.loads(cause)
    except ValueError:
        return cause
    message = (fields.get("ErrorMessage") or fields.get("errorMessage")) if isinstance(fields, dict) else None
    return str(message or cause)
