"""What the reconciler works with, on the world of the pipeline's steps: files, a stack, a lake without Spark."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pyarrow as pa

from music_streams import clock
from music_streams.reconcile.files import FileInspector
from music_streams.reconcile.findings import FileFinding, Window
from music_streams.reconcile.stalled import Repairs
from music_streams.stack import Stack
from music_streams.state.sources import Source
from music_streams.transform.ports import Pinned
from tests.integration.domain.world import FILES, LAKE, LANDING, METRICS, RECEIVED_AT, World
from tests.integration.reconcile.contract import Row, batches

ARRIVED = RECEIVED_AT[:10]
WINDOW = Window(ARRIVED, ARRIVED)
EVER = Window(ARRIVED, clock.now()[:10])
NEVER_LATE = 1e9
LAKE_UUID = "the lake"


def file_inspector(world: World, grace: float = 300, late: float = NEVER_LATE) -> FileInspector:
    repairs = Repairs(world.s3, world.ledger, world.state_machine, LANDING, grace)
    return FileInspector(world.s3, world.ledger, repairs, LANDING, late)


def judged(
    world: World, window: Window = WINDOW, grace: float = 300, late: float = NEVER_LATE
) -> dict[str, FileFinding]:
    """What is found, by source_id."""
    files = file_inspector(world, grace, late)
    return {file.source_id: file for file in files.findings(files.stock(window))}


def found(world: World, source: Source, **how: Any) -> FileFinding:
    """What is found of one source."""
    return judged(world, **how)[source.source_id]


def delete(world: World, source: Source) -> None:
    """As others would: the version is gone."""
    world.s3.delete_object(Bucket=LANDING, Key=source.key, VersionId=source.version_id)


def delete_kept(world: World, source: Source, prefix: str) -> None:
    """The copy under archive/ or quarantine/ is gone."""
    world.s3.delete_object(Bucket=LANDING, Key=source.kept_key(prefix))


@contextmanager
def listening(client: Any, handler: Callable[..., None], *events: str) -> Iterator[None]:
    """Have a handler called for events of a botocore client."""
    for event in events:
        client.meta.events.register(event, handler)
    try:
        yield
    finally:
        for event in events:
            client.meta.events.unregister(event, handler)


def stack_of(world: World) -> Stack:
    """The stack that the world would be."""
    outputs = {
        "LandingBucketName": LANDING,
        "LakeBucketName": LAKE,
        "FilesTableName": FILES,
        "MetricsTableName": METRICS,
        "StateMachineArn": world.state_machine_arn,
        "AlertsTopicArn": world.topic_arn,
        "ArrivalsQueueUrl": world.sqs.create_queue(QueueName="arrivals")["QueueUrl"],
    }
    return Stack(outputs, boto3.Session(region_name="us-east-1"), "stack of a test")


@dataclass
class MemoryListens:
    """The table `listens` at a snapshot (see lake.Listens)."""

    snapshot: Pinned | None
    _rows: list[Row]
    _asked: list[list[str]]

    def rows(self, days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        wanted = set(days)
        self._asked.append(sorted(wanted))
        yield from batches([row for row in self._rows if row["listened_at"].date().isoformat() in wanted])


@dataclass
class MemoryLake:
    """A lake in a list (see lake.LakeReader).

    Attributes:
        looks: happen one after another right before it is looked at.
        asked: the days of each reading of rows.
    """

    listed: list[Row] = field(default_factory=list)
    uuid: str = LAKE_UUID
    has_table: bool = True
    has_snapshot: bool = True
    looks: list[Any] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def listens(self) -> Any:
        if self.looks:
            self.looks.pop(0)()
        if not self.has_table:
            return None
        return MemoryListens(Pinned(1, 7, self.uuid) if self.has_snapshot else None, list(self.listed), self.asked)
