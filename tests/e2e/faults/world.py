"""The files that the tests put into one pipeline, and the metrics that it must contain when it is idle."""

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
from music_streams.reconcile.stalled import StalledFinder
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
RARE_TRACK, RARE_GENRE = "0123456789RareTrack012", "sea shanty"  # in no file that is generated from the catalogue
SONGS = (
    CATALOGUE.songs
    + ",".join(
        {"track_id": RARE_TRACK, "duration_ms": "60000", "track_genre": RARE_GENRE}.get(name, "")
        for name in sample_data.SONG_COLUMNS
    ).encode()
)
RUN_TIMEOUT = 300.0  # seconds for a run and the runs before it in the queue, on a busy machine
_FIRST_DAY = date(2022, 1, 10)
_DAYS_APART = 5  # a time near midnight in another time zone is on the day before or after


@dataclass
class World:
    """One pipeline that all tests share, each with its own days.

    Attributes:
        streams: the stream files whose rows must count, by source_id; a test removes those whose rows must not.
        songs: the songs files that enrich the streams.
    """

    stack: Stack
    lake: Lake
    streams: dict[str, StreamFile] = field(default_factory=dict)
    songs: list[bytes] = field(default_factory=lambda: [SONGS])
    _days: int = 0
    _one_run_each: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return a pipeline with reference data, and with track metrics, whose keys no fence contains."""
        change_job(stack, "TransformJobName", {"--publish_track_metrics": "true"})
        world = cls(stack, Lake(stack))
        references = {"songs": SONGS, "users": CATALOGUE.users}
        world.wait_until_ended(
            *(world.put_reference(kind, "made.csv", content) for kind, content in references.items())
        )
        return world

    def new_day(self) -> date:
        """Return a day that no other test uses."""
        self._days += 1
        return _FIRST_DAY + timedelta(days=_DAYS_APART * self._days)

    # ── Putting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, key: str, content: bytes) -> Journey:
        put = journey.put(self.stack, f"incoming/{key}", content)
        self.streams[put.source_id] = StreamFile(put.source_id, content, put.put_at)
        return put

    def put_alone(self, key: str, content: bytes) -> Journey:
        """Put a file that shares its run with no other file, and wait until it is RUNNING."""
        with self._one_run_each:
            put = self.put(key, content)
            self.wait_for_status(put, Status.RUNNING)
        return put

    def put_reference(self, kind: str, name: str, content: bytes) -> Journey:
        return journey.put(self.stack, f"reference/{kind}/{name}", content)

    # ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, put: Journey, action: Action) -> None:
        self.send(stalled.request_message(self.entry(put), action))

    def send(self, *messages: str) -> None:
        requests.send(self.stack.client("sqs"), self.stack.outputs["ArrivalsQueueUrl"], messages)

    def stalled_finder(self) -> StalledFinder:
        """Return the stalled sources, without waiting for StallSeconds."""
        return StalledFinder(
            self.stack.s3, self.stack.ledger, self._executions, self.stack.landing_bucket, idle_seconds=0
        )

    def redrive(self, put: Journey) -> None:
        repair = self.stalled_finder().of(self.entry(put))
        assert repair, f"{put.name} cannot be redriven: {self.entry(put).status}"
        self.send(repair.message)

    def redrive_until(self, is_reached: Callable[[], bool], killed_at: datetime) -> None:
        """Until a condition is met, redrive what the kill at that instant interrupted, whenever nothing runs."""
        sent = set[str]()

        def redrive_or_finish() -> bool:
            if is_reached():
                return True
            if not self.executions("RUNNING"):
                self.let_time_pass(killed_at)
                messages = {repair.message for repair in self.stalled_finder().find()} - sent
                self.send(*messages)
                sent.update(messages)
            return False

        awaited(redrive_or_finish, RUN_TIMEOUT)

    def let_time_pass(self, until: datetime) -> None:
        """Move the last change of unfinished sources before an instant back by an hour, so that leases expire."""
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
        """Return the source of a file that is still at its landing key, as the bucket lists it."""
        landed = inventory.landed(self.stack.s3, self.stack.landing_bucket)
        return next(source for source in landed if source.source_id == put.source_id)

    # ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def entry(self, put: Journey) -> Entry:
        entry = self.stack.ledger.entry(put.source_id)
        assert entry, f"{put.name}: not in the ledger"
        return entry

    def wait_for_status(self, put: Journey, *statuses: Status, attempt: int = 1) -> Entry:
        """Wait for a status in that attempt or a later one, and return the entry."""
        [entry] = self.wait_until_ended(put, goal=frozenset(statuses), attempt=attempt)
        return entry

    def wait_until_ended(
        self, *puts: Journey, goal: frozenset[Status] = ENDED, attempt: int = 1, seconds: float = RUN_TIMEOUT
    ) -> list[Entry]:
        """Wait until all files have a status of `goal`, by default a terminal one or FAILED; return their entries."""

        def is_there(put: Journey) -> bool:
            entry = entries.get(put.source_id)
            return entry is not None and entry.status in goal and entry.attempt >= attempt

        def find() -> list[Entry] | None:
            entries.update(self.stack.ledger.entries(put.source_id for put in puts if not is_there(put)))
            return [entries[put.source_id] for put in puts] if all(map(is_there, puts)) else None

        entries: dict[str, Entry] = {}
        try:
            return awaited(find, seconds, every=max(0.2, len(puts) / 500))  # many entries take the cloud much time
        except AssertionError:
            statuses = [f"{each.source.key}: {each.status} {each.attempt} {each.reason}" for each in entries.values()]
            raise AssertionError(f"not {goal} in attempt {attempt}: {statuses[:20]}") from None

    def execution_of(self, put: Journey) -> str:
        """Return the name of the execution that processes the file."""
        return self.entry(put).execution_arn.rsplit(":", 1)[-1]

    def ended(self, execution: str) -> str:
        """Wait until an execution has ended, and return its status."""
        arn = self.stack.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:") + f":{execution}"

        def status() -> str | None:
            current = self._executions.status(arn)
            return current if current not in {"", "RUNNING"} else None

        return awaited(status, RUN_TIMEOUT)

    def executions(self, status: str) -> list[str]:
        """Return the names of the executions with a status."""
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
        """Return the oracle's result for all files so far, computed only from their bytes."""
        reference = Reference(self.songs, [CATALOGUE.users], 1)
        return evaluate([Batch(list(self.streams.values()), reference)], publish_track_metrics=True)

    def items(self) -> list[dict[str, Any]]:
        return scan_items(self.stack.metrics)

    def of_day(self, day: date | str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the items of a day by key."""
        return {(item["pk"], item["sk"]): item for item in self.items() if is_of(item, day)}

    def expected_of(self, day: date) -> list[dict[str, Any]]:
        """Return the items that a day must have in the end."""
        return [item for item in self.expected().items.values() if is_of(item, day)]

    def last_updated(self, day: date) -> str:
        """Return when an item of a day was last written; '' if the day has no item."""
        return max((item["updated_at"] for item in self.of_day(day).values()), default="")

    def has_items_since(self, day: date, timestamp: str) -> bool:
        """Return whether an item of a day was written after that."""
        response = self.stack.metrics.query(
            IndexName="by-day",
            KeyConditionExpression=Key("day").eq(str(day)),
            FilterExpression=Attr("updated_at").gt(timestamp),
        )
        return bool(response["Items"])

    def check(self) -> None:
        """Check that every item is correct, and that the lake contains each accepted and each rejected row once."""
        self.check_items()
        counted = [source for source in self.expected().sources.values() if not source.verdict]
        rows = [self.lake.rows(table) for table in (LISTENS, REJECTED_ROWS)]
        accepted = sum(source.rows_accepted for source in counted)
        rejected = sum(sum(source.rejected.values()) for source in counted)
        assert rows == [accepted, rejected]

    def check_items(self) -> None:
        """Check that the items are those of the oracle: none differs, none is missing, none is unexpected."""
        wrong = differences(self.expected().items, self.items())
        assert not wrong, "\n".join(wrong[:20])

    def check_archived(self, *puts: Journey) -> None:
        """Check that counts match the oracle, bytes are archived, and nothing is left at the landing keys."""
        expected = self.expected().sources
        for put in puts:
            entry, source = self.entry(put), expected[put.source_id]
            assert (entry.status, entry.reason) == (Status.ARCHIVED, ""), put.name
            counts = (entry.rows_read, entry.rows_accepted, entry.rejected, tuple(entry.days))
            assert counts == (source.rows_read, source.rows_accepted, source.rejected, source.days), put.name
            assert self.kept(entry) == self.streams[put.source_id].content, put.name
            assert not self.is_at_landing_key(entry), put.name

    def kept(self, entry: Entry) -> bytes:
        return self.stack.s3.get_object(Bucket=entry.source.bucket, Key=entry.archive_key)["Body"].read()

    def is_at_landing_key(self, entry: Entry) -> bool:
        try:
            self.stack.s3.head_object(**entry.source.s3_arguments)
        except ClientError as error:
            if clients.error_code(error) == "404":
                return False
            raise
        return True


def is_of(item: Mapping[str, Any], day: date | str) -> bool:
    """Return whether an item belongs to that day."""
    return str(day) in {item.get("day"), item.get("track_day")}


def now() -> datetime:
    return datetime.now(UTC)
