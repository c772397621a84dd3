"""EventBridge: events of S3, Step Functions and Glue with AWS's fields, and their delivery to the targets of rules."""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from moto.events.models import events_backends
from moto.s3.models import s3_backends
from moto.s3.notifications import _detail_type
from moto.sqs.models import sqs_backends

from local.aws import ACCOUNT, Aws
from local.lambda_service import LambdaService
from local.log import CloudLog
from local.loose_types import Json, Moto

_S3_REASONS = {
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Copy": "CopyObject",
    "Delete": "DeleteObject",
    "DeleteMarkerCreated": "DeleteObject",
    "Post": "POST Object",
    "Put": "PutObject",
}
_PATH_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
_PLACEHOLDER = re.compile(r"<(?P<name>[A-Za-z0-9_.\-]+)>")


class EventBus:
    """The default event bus: matches events with the rules in moto, and delivers them to the targets."""

    def __init__(self, functions: LambdaService, aws: Aws, log: CloudLog) -> None:
        self._functions = functions
        self._aws = aws
        self._log = log
        self._senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="events")
        self._sequence = _Sequence()

    def deliver(self, rule: Moto, event: Mapping[str, Json]) -> None:
        """Send the event to the rule's targets if the rule is enabled and matches."""
        try:
            self._deliver_if_matching(rule, event)
        except Exception as error:  # noqa: BLE001  as on AWS, the call that caused the event succeeds
            self._log.write("events", f"rule {rule.name} failed: {type(error).__name__}: {error}")

    def _deliver_if_matching(self, rule: Moto, event: Mapping[str, Json]) -> None:
        if rule.state != "ENABLED" or rule.scheduled_expression or not rule.event_pattern.matches_event(event):
            return
        delivered = {name: value for name, value in event.items() if name != "ingestion-time"}
        if not isinstance(delivered["time"], str):
            delivered["time"] = format_seconds(datetime.fromtimestamp(float(delivered["time"]), UTC))
        self._log.write("events", f"{event['detail-type']} → {rule.name}")
        for target in list(rule.targets):
            self._send_to(target["Arn"], target_input(target, delivered))

    def publish(self, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Json]) -> None:
        """Publish an event of an AWS service."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": format_seconds(datetime.now(UTC)),
            "region": self._aws.region,
            "resources": resources,
            "detail": detail,
        }
        rules = events_backends[ACCOUNT][self._aws.region].event_buses["default"].rules
        for rule in list(rules.values()):
            self.deliver(rule, event)

    def publish_object_event(self, account: str, bucket: Moto, event_name: str, key: Moto) -> None:
        """Publish a change of an object. Ignore a tag event without tags: moto sends one for each upload.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
        """
        detail_type = _detail_type(event_name)
        if key is None or (detail_type == "Object Tags Added" and not self._is_tagged(key)):
            return
        changed_object = {"key": key.name, "sequencer": self._sequence.next()}
        if detail_type != "Object Deleted":
            changed_object["size"] = key.size
            changed_object["etag"] = key.etag.strip('"')
        if bucket.is_versioned:
            changed_object["version-id"] = key.version_id
        detail: dict[str, Json] = {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": changed_object,
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": account,
            "source-ip-address": "127.0.0.1",
        }
        action = event_name.rsplit(":", 1)[-1]
        if action in _S3_REASONS:
            detail["reason"] = _S3_REASONS[action]
        if detail_type == "Object Deleted":
            detail["deletion-type"] = "Permanently Deleted"
        self.publish("aws.s3", detail_type, [bucket.arn], detail)

    def _is_tagged(self, key: Moto) -> bool:
        tagger = s3_backends[ACCOUNT]["aws"].tagger
        return bool(tagger.list_tags_for_resource(key.arn)["Tags"])

    def publish_execution_status(self, execution: Moto) -> None:
        """Publish that an execution started or ended.

        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        status = execution.status
        machine = execution.state_machine.name
        reason = f": {execution.error}: {execution.cause}"[:500] if execution.error else ""
        self._log.write(f"states/{machine}", f"{execution.name} {status}{reason}")
        output = json.dumps(execution.output, default=str) if status == "SUCCEEDED" else None
        detail = {
            "executionArn": execution.execution_arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": status,
            "startDate": to_epoch_milliseconds(execution.start_date),
            "stopDate": to_epoch_milliseconds(execution.stop_date),
            "input": execution.execution_input,
            "inputDetails": {"included": True},
            "output": output,
            "outputDetails": {"included": True} if output is not None else None,
            "error": execution.error,
            "cause": execution.cause,
        }
        self.publish("aws.states", "Step Functions Execution Status Change", [execution.execution_arn], detail)

    def publish_job_run_end(self, run: Moto) -> None:
        """Publish that a job run ended.

        https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
        """
        detail = {
            "jobName": run.job_name,
            "severity": "INFO" if run.status == "SUCCEEDED" else "ERROR",
            "state": run.status,
            "jobRunId": run.job_run_id,
            "message": run.error_message or f"Job run {run.status.lower()}",
        }
        self.publish("aws.glue", "Glue Job State Change", [], detail)

    def _send_to(self, arn: str, text: str) -> None:
        service = arn.split(":")[2]
        if service == "lambda":
            self._functions.invoke_later(arn, text.encode())
        elif service == "sqs":
            queues, name = sqs_backends[ACCOUNT][self._aws.region], arn.rsplit(":", 1)[1]
            self._in_background(arn, lambda: queues.send_message(queue_name=name, message_body=text))
        elif service == "sns":
            self._in_background(arn, lambda: self._aws.client("sns").publish(TopicArn=arn, Message=text))
        else:  # a state machine
            states = self._aws.client("stepfunctions")
            self._in_background(arn, lambda: states.start_execution(stateMachineArn=arn, input=text))

    def _in_background(self, arn: str, send: Callable[[], object]) -> None:
        def attempt() -> None:
            try:
                send()
            except Exception as error:  # noqa: BLE001  nothing else reports an error of this thread
                self._log.write("events", f"delivery to {arn} failed: {type(error).__name__}: {error}")

        self._senders.submit(attempt)


class _Sequence:
    """Generates increasing hexadecimal numbers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:016X}"


def target_input(target: Mapping[str, Json], event: Mapping[str, Json]) -> str:
    """Return what a target receives of an event: all of it, a constant, a part, or a transformed text."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(get_path(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        paths = transformer.get("InputPathsMap", {})
        values = {name: get_path(event, path) for name, path in paths.items()}
        values["aws.events.event.json"] = event
        return fill_template(transformer["InputTemplate"], values)
    return json.dumps(event)


def get_path(event: Json, path: str) -> Json:
    """Return the value at a path such as $.a.b[0], None if there is none."""
    value = event
    for step in _PATH_STEP.finditer(path):
        if step["name"] is not None:
            value = value.get(step["name"]) if isinstance(value, dict) else None
        else:
            index = int(step["index"])
            value = value[index] if isinstance(value, list) and index < len(value) else None
    return value


def fill_template(template: str, values: Mapping[str, Json]) -> str:
    """Replace <names> as EventBridge does: with bare text inside quotation marks, with JSON outside."""

    def replacement(match: re.Match[str]) -> str:
        if match["name"] not in values:
            return match[0]
        value = values[match["name"]]
        before = template[: match.start()].replace('\\"', "")
        is_quoted = before.count('"') % 2 == 1
        if not is_quoted:
            return json.dumps(value)
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1]

    return _PLACEHOLDER.sub(replacement, template)


def format_seconds(instant: datetime) -> str:
    """Return the instant as 2026-11-21T21:03:25Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_epoch_milliseconds(instant: datetime | None) -> int | None:
    """Return the instant in milliseconds since 1970."""
    return None if instant is None else int(instant.timestamp() * 1000)
