"""Messages that an invocation of validate does not begin are immediately visible to the next one."""

import json
from dataclasses import replace

from music_streams.aws import clients
from tests.events.handlers import FUNCTIONS, invoke
from tests.events.messages import LANDING, object_created, queue_batch
from tests.events.stage import environment_of
from tests.permissions.acting import acting
from tests.template import role_statements

MESSAGES = 12  # more than one SQS call can change


def received(sqs, queue: str) -> list[dict]:
    """Receive all visible messages."""
    messages = []
    while page := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        messages += page
    return messages


def test_messages_that_were_not_begun_become_visible_immediately(physical, template):
    sqs, queue = clients.client("sqs"), physical["ArrivalsQueue"]
    for n in range(MESSAGES):
        key = f"incoming/later-{n}.csv"
        version = clients.client("s3").put_object(Bucket=LANDING, Key=key, Body=b"")["VersionId"]
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(object_created(key, 0, version)))
    first = received(sqs, queue)
    assert received(sqs, queue) == []
    event = queue_batch(*(each["Body"] for each in first))
    for record, message in zip(event["Records"], first, strict=True):
        record["receiptHandle"] = message["ReceiptHandle"]
    validate = FUNCTIONS["validate"]
    short_timeout = replace(validate, timeout=validate.timeout // 5)
    logical_ids = {name: logical_id for logical_id, name in physical.items()}
    with acting(role_statements(template, validate.role), logical_ids) as acts:
        answer = invoke(short_timeout, environment_of(validate.environment, physical), event)
    assert acts.refused == []
    assert len(answer["batchItemFailures"]) == MESSAGES
    again = received(sqs, queue)
    assert sorted(each["Body"] for each in again) == sorted(each["Body"] for each in first)
