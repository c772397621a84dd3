"""What the tests put into one pipeline, and what must stand in it whenever all is quiet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any, Self

from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.aws import clients
from music_streams.reconcile import inventory, stalled
from music_streams.reconcile.stalled import Repairs
from music_streams.run.executions import Executions
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams_cli import journey, sample_data
from music_streams_cli.journey import ENDED, Journey
from tests.e2e.conftest import awaited
from tests.e2e.faults.jobs import change_job
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS, Lake
from tests.oracle import Batch, Outcome, Reference, StreamFile, differences, evaluate, scan_items

CATALOGUE = sample_data.Catalogue.generate(41, songs=1_000, users=300)
RARE_TRACK, RARE_GENRE = "0123456789RareTrack012", "sea shanty"  # of no file that is made from the catalogue
SONGS = (
    CATALOGUE.songs
    + ",".join(
        {"track_id": RARE_TRACK, "duration_ms": "60000", "track_genre": RARE_GENRE}.get(name, "")
        for name in sample_data.SONG_COLUMNS
    ).encode()
)
PATIENCE = 300.0  # seconds for a run and the runs before it in the queue, on a busy machine
_FIRST_DAY = date(2022, 1, 10)
_DAYS_APART = 5  # a time near midnight with a zone falls on the day beside


@dataclass
class World:
    """One pipeline that all tests share, each with days of its own.

    Attributes:
        streams: the stream files by source_id, as their rows are to count; a test takes out what it makes not count.
        songs: the songs files with which the streams are to count.
    """

    stack: Stack
    lake: Lake
    streams: dict[str, StreamFile] = field(default_factory=dict)
    songs: list[bytes] = field(default_factory=lambda: [SONGS])
    _days: int = 0
    _apart: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """A pipeline with reference data and with items of tracks, of which no fence keeps a list."""
        change_job(stack, "TransformJobName", {"--publish_track_metrics": "true"})
        world = cls(stack, Lake(stack))
        references = {"songs": SONGS, "users": CATALOGUE.users}
        world.settle(*(world.put_reference(kind, "made.csv", content) for kind, content in references.items()))
        return world

    def new_day(self) -> date:
        """A day that no other test writes to."""
        self._days += 1
        return _FIRST_DAY + timedelta(days=_DAYS_APART * self._days)

    # ── Putting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, key: str, content: bytes) -> Journey:
        put = journey.put(self.stack, f"incoming/{key}", content)
        self.streams[put.source_id] = StreamFile(put.source_id, content, put.put_at)
        return put

    def put_alone(self, key: str, content: bytes) -> Journey:
        """Put a file that shares its run with no other, and wait until that runs."""
        with self._apart:
            put = self.put(key, content)
            self.come_to(put, Status.RUNNING)
        return put

    def put_reference(self, kind: str, name: str, content: bytes) -> Journey:
        return journey.put(self.stack, f"reference/{kind}/{name}", content)

    # ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, put: Journey, action: Action) -> None:
        self.send(stalled.ask(self.entry(put), action))

    def send(self, *messages: str) -> None:
        requests.send(self.stack.client("sqs"), self.stack.outputs["ArrivalsQueueUrl"], messages)

    def repairs(self) -> Repairs:
        """What stands still now, however lately it moved."""
        return Repairs(self.stack.s3, self.stack.ledger, self._executions, self.stack.landing_bucket, idle_seconds=0)

    def redrive(self, put: Journey) -> None:
        found = self.repairs().of(self.entry(put))
        assert found, f"{put.name} stands still: {self.entry(put).status}"
        self.send(found.message)

    def redrive_until(self, has_come: Callable[[], bool], killed_at: datetime) -> None:
        """Whenever nothing runs, redrive what a death at that moment has left, until something holds."""
        sent = set[str]()

        def look() -> bool:
            if has_come():
                return True
            if not self.executions("RUNNING"):
                self.let_time_pass(killed_at)
                messages = {found.message for found in self.repairs().find()} - sent
                self.send(*messages)
                sent.update(messages)
            return False

        awaited(look, PATIENCE)

    def let_time_pass(self, until: datetime) -> None:
        """Make an hour pass for what is under way and moved last before that moment: no lease outlives it."""
        an_hour_ago = clock.seconds_before(clock.now(), 3600)
        for source_id, entry in self.stack.ledger.entries(self.streams).items():
            if entry.status not in ENDED and an_hour_ago < entry.updated_at < clock.timestamp(until):
                self.stack.metrics.meta.client.update_item(
                    TableName=self.stack.outputs["FilesTableName"],
                    Key={"source_id": source_id},
                    UpdateExpression="SET updated_at = :then",
                    ConditionExpression="updated_at = :read",
                    ExpressionAttributeValues={
                        ":then": clock.seconds_before(entry.updated_at, 3600),
                        ":read": entry.updated_at,
                    },
                )

    def landed(self, put: Journey) -> Source:
        """A file that still lies where it landed, as the bucket lists it."""
        landed = inventory.landed(self.stack.s3, self.stack.landing_bucket)
        return next(source for source in landed if source.source_id == put.source_id)

    # ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def entry(self, put: Journey) -> Entry:
        entry = self.stack.ledger.entry(put.source_id)
        assert entry, f"{put.name}: the ledger does not know it"
        return entry

    def come_to(self, put: Journey, *statuses: Status, attempt: int = 1) -> Entry:
        """The entry, as soon as it stands there in that attempt or a later one."""
        [entry] = self.settle(put, goal=frozenset(statuses), attempt=attempt)
        return entry

    def settle(
        self, *puts: Journey, goal: frozenset[Status] = ENDED, attempt: int = 1, seconds: float = PATIENCE
    ) -> list[Entry]:
        """The files' entries, as soon as all are at their end."""

        def is_there(put: Journey) -> bool:
            entry = entries.get(put.source_id)
            return entry is not None and entry.status in goal and entry.attempt >= attempt

        def find() -> list[Entry] | None:
            entries.update(self.stack.ledger.entries(put.source_id for put in puts if not is_there(put)))
            return [entries[put.source_id] for put in puts] if all(map(is_there, puts)) else None

        entries: dict[str, Entry] = {}
        try:
            return awaited(find, seconds, every=max(0.2, len(puts) / 500))  # many answers are much work for the cloud
        except AssertionError:
            stand = [f"{each.source.key}: {each.status} {each.attempt} {each.reason}" for each in entries.values()]
            raise AssertionError(f"not {goal} in attempt {attempt}: {stand[:20]}") from None

    def execution_of(self, put: Journey) -> str:
        """The name of the execution that has the file."""
        return self.entry(put).execution_arn.rsplit(":", 1)[-1]

    def ended(self, execution: str) -> str:
        """How an execution ended, as soon as it has."""
        arn = self.stack.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:") + f":{execution}"

        def status() -> str | None:
            found = self._executions.status(arn)
            return found if found not in {"", "RUNNING"} else None

        return awaited(status, PATIENCE)

    def executions(self, status: str) -> list[str]:
        """The names of the executions with a status."""
        pages = self.stack.client("stepfunctions").get_paginator("list_executions")
        arn = self.stack.outputs["StateMachineArn"]
        return [
            each["name"]
            for page in pages.paginate(stateMachineArn=arn, statusFilter=status)
            for each in page["executions"]
        ]

    @property
    def _executions(self) -> Executions:
        return Executions(self.stack.client("stepfunctions"), self.stack.outputs["StateMachineArn"])

    # ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def expected(self) -> Outcome:
        """What the oracle says of all files put so far, from their bytes alone."""
        reference = Reference(self.songs, [CATALOGUE.users], 1)
        return evaluate([Batch(list(self.streams.values()), reference)], publish_track_metrics=True)

    def items(self) -> list[dict[str, Any]]:
        return scan_items(self.stack.metrics)

    def of_day(self, day: date | str) -> dict[tuple[str, str], dict[str, Any]]:
        """The items of a day by key."""
        return {(item["pk"], item["sk"]): item for item in self.items() if is_of(item, day)}

    def expected_of(self, day: date) -> list[dict[str, Any]]:
        """The items of a day as they are to be in the end."""
        return [item for item in self.expected().items.values() if is_of(item, day)]

    def newest_stamp(self, day: date) -> str:
        """When an item of a day was last written; '' where there is none."""
        return max((item["updated_at"] for item in self.of_day(day).values()), default="")

    def has_items_since(self, day: date, stamp: str) -> bool:
        """Whether an item of a day was written after that."""
        found = self.stack.metrics.query(
            IndexName="by-day",
            KeyConditionExpression=Key("day").eq(str(day)),
            FilterExpression=Attr("updated_at").gt(stamp),
        )
        return bool(found["Items"])

    def check(self) -> None:
        """The promise: every item is right, and in the lake lies each accepted and each rejected row once."""
        self.check_items()
        counted = [source for source in self.expected().sources.values() if not source.verdict]
        rows = [self.lake.rows(table) for table in (LISTENS, REJECTED_ROWS)]
        accepted = sum(source.rows_accepted for source in counted)
        rejected = sum(sum(source.rejected.values()) for source in counted)
        assert rows == [accepted, rejected]

    def check_items(self) -> None:
        """Every item is as the oracle has it, none is missing, none is a ghost."""
        wrong = differences(self.expected().items, self.items())
        assert not wrong, "\n".join(wrong[:20])

    def check_archived(self, *puts: Journey) -> None:
        """The files' counts are the oracle's, their bytes are kept, and nothing is left where they landed."""
        expected = self.expected().sources
        for put in puts:
            entry, source = self.entry(put), expected[put.source_id]
            assert (entry.status, entry.reason) == (Status.ARCHIVED, ""), put.name
            counts = (entry.rows_read, entry.rows_accepted, entry.rejected, tuple(entry.days))
            assert counts == (source.rows_read, source.rows_accepted, source.rejected, source.days), put.name
            assert self.kept(entry) == self.streams[put.source_id].content, put.name
            assert not self.lies_where_it_landed(entry), put.name

    def kept(self, entry: Entry) -> bytes:
        return self.stack.s3.get_object(Bucket=entry.source.bucket, Key=entry.archive_key)["Body"].read()

    def lies_where_it_landed(self, entry: Entry) -> bool:
        try:
            self.stack.s3.head_object(**entry.source.address)  # type: ignore[arg-type]  # VersionId is there
        except ClientError as error:
            if clients.error_code(error) == "404":
                return False
            raise
        return True


def is_of(item: Mapping[str, Any], day: date | str) -> bool:
    """Whether an item is one of that day."""
    return str(day) in {item.get("day"), item.get("track_day")}


def now() -> datetime:
    return datetime.now(UTC)
