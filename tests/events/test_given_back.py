"""Messages that an invocation of validate has no time for are there for the next one at once."""

import json
from dataclasses import replace

from music_streams.aws import clients
from tests.events.handlers import FUNCTIONS, invoke
from tests.events.messages import LANDING, object_created, queue_batch
from tests.events.stage import environment_of
from tests.permissions.acting import acting
from tests.template import role_statements

MESSAGES = 12  # more than one call to SQS takes


def received(sqs, queue: str) -> list[dict]:
    """All that is visible."""
    found = []
    while some := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        found += some
    return found


def test_messages_that_were_not_begun_become_visible_immediately(physical, template):
    sqs, queue = clients.client("sqs"), physical["ArrivalsQueue"]
    for n in range(MESSAGES):
        key = f"incoming/later-{n}.csv"
        version = clients.client("s3").put_object(Bucket=LANDING, Key=key, Body=b"")["VersionId"]
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(object_created(key, 0, version)))
    taken = received(sqs, queue)
    assert received(sqs, queue) == []
    event = queue_batch(*(each["Body"] for each in taken))
    for record, each in zip(event["Records"], taken, strict=True):
        record["receiptHandle"] = each["ReceiptHandle"]
    validate = FUNCTIONS["validate"]
    in_a_hurry = replace(validate, timeout=validate.timeout // 5)
    logical_ids = {name: logical_id for logical_id, name in physical.items()}
    with acting(role_statements(template, validate.role), logical_ids) as acts:
        answer = invoke(in_a_hurry, environment_of(validate.environment, physical), event)
    assert acts.refused == []
    assert len(answer["batchItemFailures"]) == MESSAGES
    again = received(sqs, queue)
    assert sorted(each["Body"] for each in again) == sorted(each["Body"] for each in taken)
