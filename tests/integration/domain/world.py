"""The AWS resources of the pipeline on moto, and functions to read their contents."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from music_streams import clock
from music_streams.aws import clients
from music_streams.aws.alert_sender import Alerts
from music_streams.ingest.intake import Intake
from music_streams.run.executions import Executions
from music_streams.run.failure import FailurePath
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, write_claimed, write_manifest
from music_streams.state.sources import Source, batch_id_of
from music_streams.state.statuses import Status
from tests.aws import create_buckets, create_table
from tests.entries import entry_item
from tests.integration.domain.glue import Glue

LANDING, LAKE, FILES, METRICS = "landing", "lake", "files", "metrics"
REGION, ACCOUNT = "us-east-1", "123456789012"
RECEIVED_AT = "2026-11-21T21:03:25.123Z"
HEADER = ["user_id", "track_id", "listen_time"]
GOOD = b"user_id,track_id,listen_time\n7,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
ALWAYS_EXPIRED = -1.0
"""A lease with which every earlier claim has expired."""
TRANSFORM_JOB, LOAD_JOB = "transform-streams", "load-metrics"


def always() -> bool:
    """Return that there is time for more work."""
    return True


def never() -> bool:
    """Return that there is no time for more work."""
    return False


class Crash(Exception):
    """The process crashes: none of its later calls reaches AWS."""


before_and_after = pytest.mark.parametrize(
    "is_done",
    [
        pytest.param(bool(done), id=f"{when} a call", marks=pytest.mark.slow)
        for done, when in enumerate(("before", "after"))
    ],
)
"""Parametrizes tests in which a process crashes at each of its calls, which takes long."""


def alerts_by_source(alerts: list[dict[str, str]]) -> Counter[str]:
    """Return how often each source_id is in alerts."""
    return Counter(re.findall(r"source_id ([0-9a-f]{32})", "\n".join(alert["Message"] for alert in alerts)))


class World:
    """Clients and resources; generates names of objects that no other test uses."""

    def __init__(self) -> None:
        self.s3: Any = clients.client("s3")
        self.sns: Any = clients.client("sns")
        self.sqs: Any = clients.client("sqs")
        self.sfn: Any = clients.client("stepfunctions")
        self.events: Any = clients.client("events")
        self.glue = Glue(clients.client("glue"))
        self.dynamodb = clients.dynamodb()
        self._numbers = itertools.count(1)
        self._create()
        self.ledger = Ledger(FILES)
        self.alerts = Alerts(self.sns, self.topic_arn)
        self.quarantine = Quarantine(self.s3, self.ledger, self.alerts)
        self.state_machine = Executions(self.sfn, self.state_machine_arn)
        self.job_runs = JobRuns(self.glue.client, (TRANSFORM_JOB, LOAD_JOB))
        self.settlement = Settlement(self.s3, self.events, self.ledger, self.quarantine, 0.2)
        self.failure_path = FailurePath(self.s3, self.ledger, self.alerts, self.job_runs, self.sfn)

    def _create(self) -> None:
        create_buckets(self.s3, LANDING, LAKE)
        create_table(self.dynamodb, "FilesTable", FILES)
        create_table(self.dynamodb, "MetricsTable", METRICS)
        self.topic_arn: str = self.sns.create_topic(Name="alerts")["TopicArn"]
        self._alerts_queue, self._events_queue = (
            self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("alerts", "events")
        )
        queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
        self.sns.subscribe(TopicArn=self.topic_arn, Protocol="sqs", Endpoint=f"{queue_arn}:alerts")
        self.events.put_rule(Name="events", EventPattern=json.dumps({"source": ["music-streams"]}))
        self.events.put_targets(Rule="events", Targets=[{"Id": "events", "Arn": f"{queue_arn}:events"}])
        machine = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
        role = f"arn:aws:iam::{ACCOUNT}:role/states"
        created = self.sfn.create_state_machine(name="process", definition=json.dumps(machine), roleArn=role)
        self.state_machine_arn: str = created["stateMachineArn"]

    def intake(self, lease_seconds: float = 300.0, max_file_bytes: int = 1024**3) -> Intake:
        return Intake(
            s3=self.s3,
            executions=self.state_machine,
            job_runs=self.job_runs,
            ledger=self.ledger,
            quarantine=self.quarantine,
            landing_bucket=LANDING,
            lake_bucket=LAKE,
            timeout_seconds=300.0,
            lease_seconds=lease_seconds,
            max_file_bytes=max_file_bytes,
        )

    def name(self, prefix: str) -> str:
        """Return an unused name."""
        return f"{prefix}-{next(self._numbers)}"

    def land(self, content: bytes = GOOD, key: str = "") -> Source:
        """Put a new object version in incoming/ now."""
        key = key or f"incoming/{self.name('streams')}.csv"
        version_id = self.s3.put_object(Bucket=LANDING, Key=key, Body=content)["VersionId"]
        return Source(LANDING, key, version_id, len(content), RECEIVED_AT)

    def upload(self, content: bytes = GOOD, key: str = "") -> Source:
        """Put one with LastModified RECEIVED_AT, plus microseconds that keep the order of versions."""
        source = self.land(content, key)
        put = s3_backends[ACCOUNT]["aws"].get_object(LANDING, source.key, source.version_id)
        put.last_modified = clock.parse(RECEIVED_AT).replace(tzinfo=None) + timedelta(microseconds=next(self._numbers))
        return source

    def entry(self, source: Source) -> Entry:
        entry = self.ledger.entry(source.source_id)
        assert entry is not None
        return entry

    def status(self, source: Source) -> Status | None:
        entry = self.ledger.entry(source.source_id)
        return entry.status if entry else None

    def item(self, source: Source) -> dict[str, Any]:
        """The raw ledger item."""
        item: dict[str, Any] = self.dynamodb.get_item(TableName=FILES, Key={"source_id": source.source_id})["Item"]
        return item

    def put_entry(self, source: Source, status: Status, **attributes: Any) -> Entry:
        """Write a ledger entry with a status directly."""
        item = entry_item(source, **({"status": status, "updated_at": RECEIVED_AT} | attributes))
        self.dynamodb.put_item(TableName=FILES, Item=item)
        return self.entry(source)

    def batch(self, *sources: Source, status: Status = Status.VALID, **attributes: Any) -> RunFolder:
        """Write the manifest of a batch and entries of its sources with a status."""
        batch_id = batch_id_of(source.source_id for source in sources)
        folder = RunFolder(LAKE, batch_id)
        kinds = {source.source_id: source.kind for source in sources}
        listed = [ManifestSource(id_, kinds[id_], f"{id_}.csv", HEADER, RECEIVED_AT, 1_000) for id_ in sorted(kinds)]
        manifest = Manifest(batch_id, listed)
        write_manifest(self.s3, folder, manifest)
        if execution_arn := attributes.get("execution_arn"):
            write_claimed(self.s3, folder, execution_arn.rsplit(":", 1)[1], manifest)
        for source in sources:
            self.put_entry(source, status, batch_id=batch_id, **attributes)
        return folder

    def content(self, key: str, bucket: str = LANDING) -> bytes | None:
        """Return the content of the current version of a key; None if there is none."""
        try:
            body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return body

    def is_at_landing_key(self, source: Source) -> bool:
        """Return whether the object version still exists at its landing key."""
        versions = self.s3.list_object_versions(Bucket=LANDING, Prefix=source.key).get("Versions", [])
        return (source.key, source.version_id) in {(each["Key"], each["VersionId"]) for each in versions}

    def executions(self) -> set[str]:
        """Return the names of all executions."""
        pages = self.sfn.get_paginator("list_executions").paginate(stateMachineArn=self.state_machine_arn)
        return {each["name"] for page in pages for each in page["executions"]}

    def execution_input(self, name: str) -> str | None:
        """Return the input of an execution; None if it was not started."""
        try:
            given: str = self.sfn.describe_execution(executionArn=self.execution_arn(name))["input"]
        except self.sfn.exceptions.ExecutionDoesNotExist:
            return None
        return given

    def execution_arn(self, name: str) -> str:
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def end_execution(self, name: str) -> None:
        self.sfn.stop_execution(executionArn=self.execution_arn(name))

    def sent_alerts(self) -> list[dict[str, str]]:
        """Return the alerts since the last call: Subject and Message."""
        return self._received(self._alerts_queue)

    def sent_events(self) -> list[dict[str, Any]]:
        """Return the events of the pipeline since the last call, as EventBridge delivers them."""
        return self._received(self._events_queue)

    def _received(self, queue: str) -> list[dict[str, Any]]:
        bodies = []
        while received := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in received]
            for message in received:
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    @contextmanager
    def crash_at(self, call: int, *, is_done: bool) -> Iterator[list[str]]:
        """Crash at the n-th AWS call (from 1): before it takes effect, or after, so that its answer is lost.

        Yields:
            The calls made, as "service.Operation", including those of boto3's managed copy.
        """
        calls: list[str] = []

        def begin(model: Any, **_: Any) -> None:
            calls.append(f"{model.service_model.service_name}.{model.name}")
            if len(calls) > call or (len(calls) == call and not is_done):
                raise Crash(f"at call {call}: {calls[call - 1]}")

        def end(model: Any, **_: Any) -> None:
            if len(calls) >= call and is_done:
                raise Crash(f"after call {call}: {calls[call - 1]}")

        with self._watching(before=begin, after=end):
            yield calls

    def crashes(self, step: Callable[[], object], call: int, *, is_done: bool) -> bool:
        """Return whether a step crashes at its n-th AWS call; False if it makes fewer calls and finishes."""
        try:
            with self.crash_at(call, is_done=is_done):
                step()
        except Crash:
            return True
        return False

    @contextmanager
    def refusing(self, operation: str) -> Iterator[None]:
        """Deny every call of an operation."""

        def refuse(model: Any, **_: Any) -> None:
            if model.name == operation:
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "refused"}}, operation)

        with self._watching(before=refuse, after=lambda **_: None):
            yield

    @contextmanager
    def interrupt_at(self, call: int, other: Callable[[], object]) -> Iterator[list[str]]:
        """Call `other` right before the n-th AWS call (from 1).

        Yields:
            The calls made, without those of `other`.
        """
        calls: list[str] = []
        is_interrupted = False

        def begin(model: Any, **_: Any) -> None:
            nonlocal is_interrupted
            if is_interrupted:
                return
            calls.append(f"{model.service_model.service_name}.{model.name}")
            if len(calls) == call:
                is_interrupted = True
                other()
                is_interrupted = False

        with self._watching(before=begin, after=lambda **_: None):
            yield calls

    @contextmanager
    def _watching(self, before: Any, after: Any) -> Iterator[None]:
        clients = [self.s3, self.sns, self.sfn, self.events, self.glue.client, self.ledger._dynamodb]
        for client in clients:
            client.meta.events.register_first("before-call", before, unique_id="crash-before")
            client.meta.events.register_first("after-call", after, unique_id="crash-after")
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("before-call", before, unique_id="crash-before")
                client.meta.events.unregister("after-call", after, unique_id="crash-after")
