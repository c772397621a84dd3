"""The reconciler's inputs in the world of the pipeline's steps: files, a stack, a lake without Spark."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pyarrow as pa

from music_streams import clock
from music_streams.reconcile.files import FileInspector
from music_streams.reconcile.findings import FileFinding, Window
from music_streams.reconcile.lake import UNKNOWN_TRACK
from music_streams.reconcile.stalled import StalledFinder
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
_PARKED_COLUMNS = pa.schema({"source_id": pa.string(), "raw": pa.string()})


def file_inspector(world: World, grace: float = 300, late: float = NEVER_LATE) -> FileInspector:
    finder = StalledFinder(world.s3, world.ledger, world.state_machine, LANDING, grace)
    return FileInspector(world.s3, world.ledger, finder, LANDING, late)


def file_findings(
    world: World, window: Window = WINDOW, grace: float = 300, late: float = NEVER_LATE
) -> dict[str, FileFinding]:
    """Return the findings by source_id."""
    files = file_inspector(world, grace, late)
    return {file.source_id: file for file in files.findings(files.take_inventory(window))}


def finding_of(world: World, source: Source, **how: Any) -> FileFinding:
    """Return the finding about one source."""
    return file_findings(world, **how)[source.source_id]


def delete(world: World, source: Source) -> None:
    """Delete the version, as others would."""
    world.s3.delete_object(Bucket=LANDING, Key=source.key, VersionId=source.version_id)


def delete_kept(world: World, source: Source, prefix: str) -> None:
    """Delete the copy under archive/ or quarantine/."""
    world.s3.delete_object(Bucket=LANDING, Key=source.kept_key(prefix))


@contextmanager
def listening(client: Any, handler: Callable[..., None], *events: str) -> Iterator[None]:
    """Call a handler for events of a botocore client."""
    for event in events:
        client.meta.events.register(event, handler)
    try:
        yield
    finally:
        for event in events:
            client.meta.events.unregister(event, handler)


def stack_of(world: World) -> Stack:
    """Return a stack with the world's resources."""
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
    _days_read: list[list[str]]

    def rows(self, days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        wanted = set(days)
        self._days_read.append(sorted(wanted))
        yield from batches([row for row in self._rows if row["listened_at"].date().isoformat() in wanted])


@dataclass
class MemoryRejectedRows:
    """The table `rejected_rows` (see lake.RejectedRows)."""

    _rows: list[Row]
    _searches: list[str]

    def parked(self, source_ids: Iterable[str], days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        self._searches.append("rows")
        wanted, dates = set(source_ids), set(days)
        for row in self._rows:
            if row["reason"] == UNKNOWN_TRACK and row["source_id"] in wanted and row["received_at"][:10] in dates:
                yield pa.RecordBatch.from_pylist([row], _PARKED_COLUMNS)

    def parked_sources(self) -> set[str]:
        self._searches.append("sources")
        return {row["source_id"] for row in self._rows if row["reason"] == UNKNOWN_TRACK}


@dataclass
class MemoryLake:
    """A lake in a list (see lake.LakeReader).

    Attributes:
        rejected: rows of `rejected_rows`, with timestamps as received_at; None if there is no table.
        searches: what was read of it: "rows" of sources, or all "sources".
        before_reads: called one after another, each before the table is loaded.
        days_read: the days of each reading of rows.
    """

    listed: list[Row] = field(default_factory=list)
    uuid: str = LAKE_UUID
    has_table: bool = True
    has_snapshot: bool = True
    before_reads: list[Any] = field(default_factory=list)
    days_read: list[list[str]] = field(default_factory=list)
    rejected: list[Row] | None = field(default_factory=list)
    searches: list[str] = field(default_factory=list)

    def rejected_rows(self) -> Any:
        return None if self.rejected is None else MemoryRejectedRows(self.rejected, self.searches)

    def listens(self) -> Any:
        if self.before_reads:
            self.before_reads.pop(0)()
        if not self.has_table:
            return None
        return MemoryListens(Pinned(1, 7, self.uuid) if self.has_snapshot else None, list(self.listed), self.days_read)
