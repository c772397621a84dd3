"""Events in the form in which AWS sends them."""

import hashlib
import json
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
LANDING, LAKE = "music-streams-landingbucket", "music-streams-lakebucket"  # as the local cloud names them
ARRIVED_AT = "2024-06-26T08:00:05Z"
RUN_ID = "jr_0123456789abcdef"  # of the transform
EXECUTIONS = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:process-streams"
MACHINE = EXECUTIONS.replace(":execution:", ":stateMachine:")


def object_created(key: str, size: int, version_id: str | None) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html; the key is not URL-encoded."""
    s3_object = {
        "key": key,
        "size": size,
        "etag": hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(),
        "sequencer": hashlib.sha256(key.encode()).hexdigest()[:18].upper(),
    }
    if version_id:
        s3_object["version-id"] = version_id
    detail = {
        "version": "0",
        "bucket": {"name": LANDING},
        "object": s3_object,
        "request-id": "C3D13FE58DE4C810",
        "requester": ACCOUNT,
        "source-ip-address": "192.0.2.10",
        "reason": "PutObject",
    }
    return _event("aws.s3", "Object Created", ARRIVED_AT, [f"arn:aws:s3:::{LANDING}"], detail, key)


def queue_batch(*bodies: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    return {"Records": [_record(number, body) for number, body in enumerate(bodies, start=1)]}


def message_id(number: int) -> str:
    """Return the id of the n-th message of a batch, from 1."""
    return f"00000000-0000-4000-8000-{number:012d}"


def _record(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": message_id(number),
        "receiptHandle": f"handle-{number}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1719388805000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1719388806000",
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:music-streams-ArrivalsQueue",
        "awsRegion": REGION,
    }


def step_input(batch_id: str) -> dict[str, Any]:
    """Return the input that the state machine passes to its functions, with more fields than some of them read."""
    return {
        "manifest": manifest_uri(batch_id),
        "execution_arn": f"{EXECUTIONS}:{batch_id}-1",
        "run_id": RUN_ID,
        "transform_run": {**job_run("transform-streams", RUN_ID, 74, 2.0), "DPUSeconds": 131.0},
        "load_run": job_run("load-metrics", "jr_fedcba9876543210", 21, 0.0625),
    }


def job_run(job: str, run_id: str, seconds: int, capacity: float) -> dict[str, Any]:
    """Return a job run as Step Functions reports it; only jobs with auto scaling have DPUSeconds."""
    return {"Id": run_id, "JobName": job, "JobRunState": "SUCCEEDED", "ExecutionTime": seconds, "MaxCapacity": capacity}


def status_change(batch_id: str, status: str, error: str | None = None, cause: str | None = None) -> dict[str, Any]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    arn = f"{EXECUTIONS}:{batch_id}-1"
    detail = {
        "executionArn": arn,
        "stateMachineArn": MACHINE,
        "name": f"{batch_id}-1",
        "status": status,
        "startDate": 1719388860000,
        "stopDate": 1719390000000,
        "input": json.dumps({"manifest": manifest_uri(batch_id)}),
        "output": None,
        "inputDetails": {"included": True},
        "outputDetails": None,
        "error": error,
        "cause": cause,
    }
    changed = "Step Functions Execution Status Change"
    return _event("aws.states", changed, "2024-06-26T08:20:00Z", [arn], detail, batch_id)


def bare_status_change(batch_id: str, status: str) -> dict[str, Any]:
    """Return a status change without input, error and cause, which DescribeExecution returns."""
    event = status_change(batch_id, status)
    detail = {name: value for name, value in event["detail"].items() if name not in {"error", "cause"}}
    return {**event, "detail": {**detail, "input": None, "inputDetails": {"included": False}}}


def scheduled(rule: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-events.html"""
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"
    return _event("aws.events", "Scheduled Event", "2024-06-26T08:25:00Z", [arn], {}, rule)


def job_state_change(job: str, state: str, message: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html"""
    detail = {"jobName": job, "severity": "ERROR", "state": state, "jobRunId": RUN_ID, "message": message}
    return _event("aws.glue", "Glue Job State Change", "2024-06-30T03:04:05Z", [], detail, job)


def manifest_uri(batch_id: str) -> str:
    return f"s3://{LAKE}/runs/{batch_id}/manifest.json"


def _event(
    source: str, detail_type: str, time: str, resources: list[str], detail: dict[str, Any], seed: str
) -> dict[str, Any]:
    """Return an EventBridge event with a detail; its id is a digest of the seed."""
    digits = hashlib.sha256(seed.encode()).hexdigest()
    return {
        "version": "0",
        "id": f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}",
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": resources,
        "detail": detail,
    }
