"""The commands against AWS on moto: a CloudFormation stack with files in several states, and metrics."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from music_streams.stack import Stack, find_stack
from music_streams.state.sources import Source, batch_id_of
from music_streams_cli.app import app
from tests.aws import aws_in_process, table_properties
from tests.entries import entry_item

Run = Callable[..., Any]
ARRIVED = "2026-11-21T21:03:25.000Z"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:process-streams"
TEMPLATE = {
    "Resources": {
        "Landing": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "landing"}},
        "Lake": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "lake"}},
        "Files": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {"TableName": "files", **table_properties("FilesTable")},
        },
        "Metrics": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {"TableName": "metrics", **table_properties("MetricsTable")},
        },
        "Arrivals": {"Type": "AWS::SQS::Queue"},
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "DeadFailures": {"Type": "AWS::SQS::Queue"},
        "Alerts": {"Type": "AWS::SNS::Topic"},
    },
    "Outputs": {
        "LandingBucketName": {"Value": {"Ref": "Landing"}},
        "LakeBucketName": {"Value": {"Ref": "Lake"}},
        "FilesTableName": {"Value": {"Ref": "Files"}},
        "MetricsTableName": {"Value": {"Ref": "Metrics"}},
        "StateMachineArn": {"Value": MACHINE},
        "ArrivalsQueueUrl": {"Value": {"Ref": "Arrivals"}},
        "ArrivalsDeadLetterQueueUrl": {"Value": {"Ref": "DeadLetters"}},
        "FailuresDeadLetterQueueUrl": {"Value": {"Ref": "DeadFailures"}},
        "AlertsTopicArn": {"Value": {"Ref": "Alerts"}},
        "RecordFailureFunctionName": {"Value": "record-failure"},
        "MaintainJobName": {"Value": "maintain-lake"},
    },
}


@contextmanager
def stack_in_process(**variables: str) -> Iterator[Stack]:
    """Create a stack without files and metrics; within the block, the environment names it."""
    named = {"MUSIC_STREAMS_STACK": "streams-test", "LOCAL_CLOUD_STATE": "/nonexistent"}
    with aws_in_process("eu-west-1", **named, **variables) as patch:
        patch.delenv("FORCE_COLOR", raising=False)
        boto3.client("cloudformation").create_stack(StackName="streams-test", TemplateBody=json.dumps(TEMPLATE))
        stack = find_stack()
        # The CloudFormation of moto does not enable versioning.
        stack.s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
        yield stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack on AWS with a few files and the metrics of two days."""
    with stack_in_process(COLUMNS="80") as stack:
        _fill(stack)
        yield stack


@pytest.fixture
def run(stack) -> Run:
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args], prog_name="music-streams")


@pytest.fixture
def golden() -> Path:
    return Path(__file__).parent / "golden"


def source(name: str, key: str = "") -> Source:
    """Return a file of the ledger; its ids are the same in every run."""
    return Source("landing", key or f"incoming/{name}", f"version-of-{name}", 1_234, ARRIVED)


BATCH = batch_id_of([source("good.csv").source_id])
ENTRIES: dict[str, dict[str, Any]] = {
    "good.csv": {
        "status": "ARCHIVED",
        "updated_at": "2026-11-21T21:04:31.000Z",
        "batch_id": BATCH,
        "execution_arn": MACHINE.replace("stateMachine", "execution") + f":{BATCH}-1",
        "days": ["2024-06-24", "2024-06-25"],
        "rows_read": 1_000,
        "rows_accepted": 990,
        "rejected": {"duplicate": 8, "bad_user_id": 2},
        "validated_at": "2026-11-21T21:03:28.000Z",
        "started_at": "2026-11-21T21:03:29.500Z",
        "published_at": "2026-11-21T21:04:30.000Z",
        "archived_at": "2026-11-21T21:04:31.000Z",
        "archive_key": source("good.csv").kept_key("archive"),
        "cost_micro_usd": 15_123,
        "total_cost_micro_usd": 45_678,
    },
    "refused.csv": {
        "status": "QUARANTINED",
        "updated_at": "2026-11-21T21:03:28.000Z",
        "reason": "missing_columns",
        "archive_key": source("refused.csv").kept_key("quarantine"),
    },
    "failed.csv": {
        "status": "FAILED",
        "updated_at": "2026-11-21T21:05:00.000Z",
        "batch_id": batch_id_of([source("failed.csv").source_id]),
        "reason": "no_reference_data",
        "validated_at": "2026-11-21T21:03:28.000Z",
        "started_at": "2026-11-21T21:03:29.500Z",
    },
}


def put_entry(stack: Stack, item: Source, **attributes: Any) -> None:
    """Write an entry like the pipeline."""
    stack.session.resource("dynamodb").Table("files").put_item(Item=entry_item(item, **attributes))


def drained(stack: Stack, queue: str) -> list[str]:
    """Delete all messages of a queue, named by its output, and return their bodies."""
    sqs, url = stack.client("sqs"), stack.output(queue)
    bodies = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
    return bodies


def _fill(stack: Stack) -> None:
    for name, attributes in ENTRIES.items():
        item = source(name)
        if attributes["status"] == "FAILED":
            version = stack.s3.put_object(Bucket="landing", Key=item.key, Body=b"rows")["VersionId"]
            item = replace(item, version_id=version)
        put_entry(stack, item, **attributes)
        if "archive_key" in attributes:
            stack.s3.put_object(Bucket="landing", Key=attributes["archive_key"], Body=b"rows")
    refused = source("refused.csv")
    reason = {
        "verdict": "missing_columns",
        "detail": "the header row lacks: track_id",
        "what_to_do": "write the header row with every column",
    }
    folder = refused.kept_key("quarantine").rsplit("/", 1)[0]
    stack.s3.put_object(Bucket="landing", Key=f"{folder}/reason.json", Body=json.dumps(reason))
    for day, listens in (("2024-06-24", 400), ("2024-06-25", 590)):
        _put_day(stack, day, listens)


def _put_day(stack: Stack, day: str, listens: int) -> None:
    counts = {"listen_count": listens, "unique_listeners": 100, "total_listening_time_ms": listens * 180_000}
    average = {"avg_listening_time_per_user_ms": Decimal(listens * 1_800)}
    at = "2026-11-21T21:04:30.000Z"
    run: dict[str, Any] = {"version": 7, "lake_uuid": "lake", "batch_id": BATCH, "updated_at": at}
    song = {"rank": 1, "track_id": "t" * 22, "track_name": "Señal\nde [radio]", "artists": "星空", **counts}
    items: list[tuple[str, str, dict[str, Any]]] = [
        ("GENRE#jazz", f"DAY#{day}", {"top_songs": [song]}),
        ("COUNTRY#Türkiye", f"DAY#{day}", {"top_songs": [song]}),
        (f"DAY#{day}", "SUMMARY", {"top_genres": [{"rank": 1, "genre": "jazz", **counts}]}),
    ]
    for pk, sk, more in items:
        stack.metrics.put_item(Item={"pk": pk, "sk": sk, "day": day, **counts, **average, **run, **more})
