"""A failed execution leaves its files FAILED and in place, and sends an alert."""

import json
from collections.abc import Callable, Iterator
from datetime import date

import pytest

from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import journey, sample_data
from tests.e2e.conftest import awaited

pytestmark = pytest.mark.slow

CATALOGUE = sample_data.Catalogue.generate(5, songs=20, users=20)


@pytest.fixture(scope="module")
def alerts(stack: Stack) -> Callable[[str], str | None]:
    """Find an alert that contains a text."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    url = sqs.create_queue(QueueName="alerts-of-a-test")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=stack.outputs["AlertsTopicArn"], Protocol="sqs", Endpoint=arn)
    messages: list[str] = []

    def find(text: str) -> str | None:
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        messages.extend(json.loads(message["Body"])["Message"] for message in received)
        return next((message for message in messages if text in message), None)

    return find


@pytest.fixture(scope="module")
def aborted(stack: Stack, alerts) -> Iterator[Entry]:
    """Stop the execution of a file; delete the file after the tests."""
    put = journey.put(stack, "incoming/aborted.csv", sample_data.streams(1, CATALOGUE, date(2021, 5, 6), 20))

    def entry(status: Status) -> Entry | None:
        found = stack.ledger.entry(put.source_id)
        return found if found and found.status is status else None

    running = awaited(lambda: entry(Status.RUNNING))
    stack.client("stepfunctions").stop_execution(executionArn=running.execution_arn)
    failed = awaited(lambda: entry(Status.FAILED))
    yield failed
    source = failed.source
    stack.s3.delete_object(Bucket=source.bucket, Key=source.key, VersionId=source.version_id)


def test_the_reason_is_the_status_of_the_execution(aborted):
    assert aborted.reason.startswith("ABORTED")


def test_the_input_stays_where_it_landed(stack, aborted):
    source = aborted.source
    assert stack.s3.head_object(Bucket=source.bucket, Key=source.key, VersionId=source.version_id)["ContentLength"]


def test_an_alert_names_the_file_and_the_execution(aborted, alerts):
    alert = awaited(lambda: alerts(aborted.source.uri))
    assert aborted.execution_arn in alert


def test_the_alert_of_a_quarantined_file_says_what_to_do(stack, alerts):
    put = journey.put(stack, "incoming/without a column.csv", sample_data.broken(date(2021, 5, 6))["missing_columns"])
    alert = awaited(lambda: alerts("without a column.csv"))
    assert "missing_columns" in alert
    assert "What to do:" in alert
    entry = stack.ledger.entry(put.source_id)
    assert entry
    assert entry.status is Status.QUARANTINED
