"""Invocations of functions: synchronous with a response, asynchronous with retries and destinations."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import lambda_backends

from local.aws import ACCOUNT, Aws
from local.lambda_workers import Function, Result, Throttled, Workers
from local.log import CloudLog
from local.loose_types import Json, Moto

LARGEST_SYNCHRONOUS_REQUEST = 6_291_456  # bytes
LARGEST_ASYNCHRONOUS_REQUEST = 1_048_576  # bytes

# Seconds before the retries of an asynchronous invocation. AWS waits one and two minutes, too long for local work.
RETRY_PAUSES = (1.0, 2.0)
_THROTTLE_PAUSE = 1.0
_LARGEST_LOG_RESULT = 4096


class LambdaService:
    """What Lambda does around the execution of a function."""

    def __init__(self, workers: Workers, aws: Aws, log: CloudLog) -> None:
        self._workers = workers
        self._aws = aws
        self._log = log
        self._asynchronous = ThreadPoolExecutor(max_workers=32, thread_name_prefix="asynchronous")

    def invoke(self, moto_function: Moto, body: bytes, headers: Mapping[str, str], reply: dict[str, str]) -> bytes:
        """The Invoke API: add the response's headers to `reply` and return its body."""
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        payload = body or b"{}"
        limit = LARGEST_ASYNCHRONOUS_REQUEST if kind == "Event" else LARGEST_SYNCHRONOUS_REQUEST
        if len(payload) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            raise _with_status(LambdaClientError("RequestTooLargeException", message), 413)
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise LambdaClientError("InvalidRequestContentException", message) from error
        if kind == "DryRun":
            return b""
        if kind == "Event":
            self.invoke_later(moto_function.function_arn, payload)
            return b""
        try:
            result = self.run(moto_function, payload)
        except Throttled as error:
            raise _with_status(LambdaClientError("TooManyRequestsException", "Rate Exceeded."), 429) from error
        if result.is_error:
            reply["x-amz-function-error"] = "Unhandled"
        reply["x-amz-executed-version"] = "$LATEST"
        reply["x-amz-log-result"] = base64.b64encode(result.log.encode()[-_LARGEST_LOG_RESULT:]).decode()
        return result.payload

    def run(self, moto_function: Moto, payload: bytes) -> Result:
        """Run the function once and keep its output in CloudWatch Logs. Raises Throttled."""
        result = self._workers.invoke(_as_configured(moto_function), payload)
        self._keep_log(moto_function, result)
        return result

    def function(self, arn: str) -> Moto:
        """Return moto's object of a function. Raises moto's error if there is none."""
        return lambda_backends[ACCOUNT][self._aws.region].get_function(arn)

    def invoke_later(self, arn: str, payload: bytes) -> None:
        """Invoke a function asynchronously."""
        self._asynchronous.submit(self._attempt, _Call(arn, payload, str(uuid.uuid4()), time.time()))

    def _attempt(self, call: "_Call") -> None:
        try:
            moto_function = self.function(call.arn)
            settings = moto_function.event_invoke_config[-1].config if moto_function.event_invoke_config else {}
            max_retries = int(settings.get("MaximumRetryAttempts", len(RETRY_PAUSES)))
            is_too_old = time.time() - call.since > int(settings.get("MaximumEventAgeInSeconds", 21_600))
            try:
                result = self.run(moto_function, call.payload)
            except Throttled:
                if not is_too_old:
                    self._later(_THROTTLE_PAUSE, call)
                return
            if not result.is_error:
                self._notify(settings, "OnSuccess", call, result, "Success")
            elif call.attempt <= max_retries and not is_too_old:
                pause = RETRY_PAUSES[call.attempt - 1]
                self._log.write(f"lambda/{moto_function.function_name}", f"retry {call.attempt} in {pause:g} s")
                self._later(pause, replace(call, attempt=call.attempt + 1))
            else:
                condition = "EventAgeExceeded" if is_too_old else "RetriesExhausted"
                self._notify(settings, "OnFailure", call, result, condition)
        except Exception as error:  # noqa: BLE001  it would be lost in this thread: log it
            self._log.write("lambda", f"asynchronous invocation of {call.arn} failed: {type(error).__name__}: {error}")

    def _later(self, pause: float, call: "_Call") -> None:
        timer = threading.Timer(pause, self._asynchronous.submit, (self._attempt, call))
        timer.daemon = True
        timer.start()

    def _notify(
        self, settings: Mapping[str, Json], outcome: str, call: "_Call", result: Result, condition: str
    ) -> None:
        """Send the invocation record to the destination, if there is one.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        destination = settings.get("DestinationConfig", {}).get(outcome, {}).get("Destination")
        if not destination:
            return
        record = json.dumps(
            {
                "version": "1.0",
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "requestContext": {
                    "requestId": call.request_id,
                    "functionArn": f"{call.arn}:$LATEST",
                    "condition": condition,
                    "approximateInvokeCount": call.attempt,
                },
                "requestPayload": json.loads(call.payload),
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    **({"functionError": "Unhandled"} if result.is_error else {}),
                },
                "responsePayload": _as_json(result.payload),
            }
        )
        name = destination.split(":")[-1]
        self._log.write("lambda", f"{condition} after {call.attempt} attempts: {outcome} → {name}")
        try:
            if destination.split(":")[2] == "sqs":
                queue = self._aws.client("sqs").get_queue_url(QueueName=name)
                self._aws.client("sqs").send_message(QueueUrl=queue["QueueUrl"], MessageBody=record)
            else:
                self._aws.client("sns").publish(TopicArn=destination, Message=record)
        except (ClientError, BotoCoreError) as error:
            self._log.write("lambda", f"sending to the {outcome} destination {destination} failed: {error}")

    def _keep_log(self, moto_function: Moto, result: Result) -> None:
        logs = moto_function.logs_backend
        group = moto_function.logs_group_name
        logs.ensure_log_group(group)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in result.log.splitlines()]
        if result.log_stream not in logs.groups[group].streams:
            logs.create_log_stream(group, result.log_stream)
        logs.put_log_events(group, result.log_stream, events)


@dataclass(frozen=True)
class _Call:
    """An attempt of an asynchronous invocation; since: when it was requested, in seconds since 1970."""

    arn: str
    payload: bytes
    request_id: str
    since: float
    attempt: int = 1


def _as_configured(moto_function: Moto) -> Function:
    reserved = moto_function.reserved_concurrency
    return Function(
        name=moto_function.function_name,
        arn=moto_function.function_arn,
        handler=moto_function.handler,
        runtime=moto_function.run_time,
        region=moto_function.region,
        timeout=float(moto_function.timeout),
        memory=int(moto_function.memory_size),
        environment=tuple(sorted(moto_function.environment_vars.items())),
        reserved_concurrency=None if reserved is None else int(reserved),
        code_hash=moto_function.code_sha_256,
        code=moto_function.code_bytes,
    )


def _with_status(error: Moto, status: int) -> Moto:
    error.code = status
    return error


def _as_json(payload: bytes) -> Json:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
