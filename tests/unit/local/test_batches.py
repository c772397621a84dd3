import json
from types import SimpleNamespace

import pytest

from local.lambda_service import LARGEST_SYNCHRONOUS_REQUEST
from local.queue_pollers import Batch, failed_items, record_of

IDS = ["a", "b", "c"]


def test_a_full_batch_does_not_wait():
    batch = Batch(size=2, window=60, now=100)
    assert batch.add("m1", {"body": "1"})
    assert batch.room == 1
    assert batch.remaining(now=110) == 50
    assert batch.add("m2", {"body": "2"})
    assert (batch.room, batch.remaining(now=110)) == (0, 0)


def test_a_window_ends_and_a_single_record_is_never_too_large():
    batch = Batch(size=2, window=1, now=100)
    assert batch.add("m", {"body": "x" * (LARGEST_SYNCHRONOUS_REQUEST + 1)})
    assert batch.remaining(now=101.5) == 0


def test_the_payload_limit_bounds_a_batch():
    batch = Batch(size=100, window=60, now=0)
    large = {"body": "x" * 1_000_000}
    count = 0
    while batch.add(f"m{count}", large):
        count += 1
    assert count == 6
    assert batch.room == 0
    assert len(json.dumps({"Records": batch.records})) <= LARGEST_SYNCHRONOUS_REQUEST


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "c"}]}', {"a", "c"}),
        # AWS treats these as a failure of the whole batch
        (b"not json", set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', set(IDS)),
        (b'{"batchItemFailures": [{"wrongName": "a"}]}', set(IDS)),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', set(IDS)),
        (b'{"batchItemFailures": ["a"]}', set(IDS)),
        (b'{"batchItemFailures": "a"}', set(IDS)),
    ],
)
def test_failed_items_are_those_reported_or_all_of_a_malformed_report(response, failed):
    assert failed_items(response, IDS) == failed


def test_a_record_has_the_shape_that_functions_get_on_aws():
    message = SimpleNamespace(
        id="id",
        receipt_handle="handle",
        body="body",
        approximate_receive_count=1,
        sent_timestamp=1795297265723,
        sender_id="AIDA",
        approximate_first_receive_timestamp=1795297265724,
        message_attributes={"kind": {"DataType": "String", "StringValue": "x"}},
        body_md5="md5",
        attribute_md5="md5 of attributes",
    )
    queue = SimpleNamespace(queue_arn="arn:aws:sqs:us-east-1:1:q", region="us-east-1")
    assert record_of(message, queue) == {
        "messageId": "id",
        "receiptHandle": "handle",
        "body": "body",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795297265723",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "1795297265724",
        },
        "messageAttributes": {
            "kind": {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        },
        "md5OfBody": "md5",
        "md5OfMessageAttributes": "md5 of attributes",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
        "awsRegion": "us-east-1",
    }
