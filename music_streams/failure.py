"""The one failure path: an execution that failed, timed out or was aborted leaves its sources FAILED, with an alert.

The inputs stay where they are, and the alert names them.
"""

import json
import re
from typing import TYPE_CHECKING, Any

from music_streams.alerts import Alerts
from music_streams.ledger import Ledger, Status
from music_streams.runs import RunFolder, read_manifest

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_KNOWN_REASONS = re.compile(r"\b(no_reference_data)\b")
_MAX_REASON = 300  # characters
_MAX_LISTED = 50  # inputs; an alert holds 256 KB


def record_failure(s3: "S3Client", ledger: Ledger, alerts: Alerts, detail: dict[str, Any]) -> int:
    """Move the sources of an ended execution to FAILED.

    Args:
        s3: a client, for the run's manifest.
        ledger: where the sources stand.
        alerts: where the operators listen.
        detail: the `detail` of a "Step Functions Execution Status Change" event: executionArn, name, status, input,
            error, cause.

    Returns:
        How many sources failed with it. Sources that the execution had published already stay PUBLISHED.
    """
    execution_arn = detail["executionArn"]
    folder = RunFolder.of_manifest(json.loads(detail["input"])["manifest"])
    reason = _reason(detail)
    failed, published = [], []
    for source_id in read_manifest(s3, folder).source_ids:
        entry = ledger.entry(source_id)
        if entry and entry.status is Status.VALID and ledger.run(entry, execution_arn):
            # It ended before it could claim: the source was taken in its name, lest it wait for ever.
            entry = ledger.entry(source_id)
        if entry and entry.status is Status.RUNNING and entry.execution_arn == execution_arn:
            ledger.fail(entry, reason)
            entry = ledger.entry(source_id)
        if entry and entry.status is Status.FAILED and entry.execution_arn == execution_arn:
            failed.append(entry.source.uri)
        elif entry and entry.status is Status.PUBLISHED and entry.execution_arn == execution_arn:
            published.append(entry.source.uri)
    alerts.send(
        f"music-streams: execution {detail['name']} {detail['status']}",
        [
            f"Execution {execution_arn} ended {detail['status']}.",
            f"Reason: {reason}",
            *_listed("Inputs that failed with it and stay in place; put them again once the cause is mended:", failed),
            *_listed("Inputs whose metrics stand, not archived yet:", published),
        ],
    )
    return len(failed)


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


def _listed(heading: str, uris: list[str]) -> list[str]:
    more = [f"and {len(uris) - _MAX_LISTED} more"] if len(uris) > _MAX_LISTED else []
    return [heading, *uris[:_MAX_LISTED], *more] if uris else []
