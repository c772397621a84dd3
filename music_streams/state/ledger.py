"""The ledger: one item for each source in FilesTable, whose status changes only by conditional writes.

Statuses and transitions: docs/design.md, section 5. A write whose condition fails changes nothing and returns False.
Either another program changed the source first, and the caller must discard its work; or the same work was done before.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.aws import clients
from music_streams.aws.batch_get import batch_get
from music_streams.aws.clients import error_code
from music_streams.aws.objects import Place
from music_streams.aws.telemetry import Metric, Telemetry
from music_streams.display import seconds_between
from music_streams.state.run_files import SourceOutcome
from music_streams.state.sources import Source, Treatment, batch_and_attempt
from music_streams.state.statuses import RENEWABLE, Status

log = logging.getLogger(__name__)

OBJECT_GONE = "object_gone"
"""The reason of a file that was deleted before it was read."""
UNREADABLE = "unreadable"
"""The reason of a file whose bytes S3 did not return when it arrived."""
_CONDITION_FAILED = "ConditionalCheckFailedException"


@dataclass(frozen=True)
class Entry:
    """A source's item in the ledger. Attributes of statuses that it has not reached are empty or 0.

    Attributes:
        first_published_at: when its metrics were first published; published_at is of the last attempt.
        failures: attempts whose execution failed since it was last published (not those in which validate could not
            read the file); failing_since is the time of the first of them.
        songs_digest: identifies the versions of the songs files that the last run which published it read.
        left_out: why runs could not read this reference file after it was published; '' if that did not happen.
        cost_micro_usd: its share of the cost of the last settled attempt, in millionths of a US dollar;
            total_cost_micro_usd is the sum over all settled attempts, replays included.
    """

    source: Source
    status: Status
    updated_at: str
    attempt: int
    batch_id: str = ""
    execution_arn: str = ""
    archive_key: str = ""
    reason: str = ""
    days: list[str] = field(default_factory=list)
    rows_read: int = 0
    rows_accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    validated_at: str = ""
    started_at: str = ""
    published_at: str = ""
    first_published_at: str = ""
    archived_at: str = ""
    failures: int = 0
    failing_since: str = ""
    treatment: Treatment = Treatment.NORMAL
    songs_digest: str = ""
    left_out: str = ""
    cost_micro_usd: int = 0
    total_cost_micro_usd: int = 0

    @property
    def place(self) -> Place:
        """The source's location: its landing key, until it is moved to `archive/` or `quarantine/`."""
        is_at_landing_key = self.source.kind.is_reference and self.status is not Status.QUARANTINED
        if is_at_landing_key or not self.archive_key:
            return self.source
        return Place(self.source.bucket, self.archive_key, "")

    @property
    def stays_at_landing_key(self) -> bool:
        """Whether it is quarantined at its landing key: too large to be moved, or a reference file after its run."""
        return self.status is Status.QUARANTINED and not self.archive_key

    @property
    def is_accepted(self) -> bool:
        """Whether validation accepted it, and no quarantine or retraction has removed its rows or will do so."""
        removes_rows = self.status is Status.QUARANTINED or not self.treatment.adds_rows
        return bool(self.validated_at) and not removes_rows

    @property
    def is_retracted(self) -> bool:
        """Whether its rows are removed from lake and metrics, or will be."""
        return self.treatment is Treatment.RETRACT

    @property
    def waiting_since(self) -> str:
        """When the wait for its metrics began: its arrival, or the start of its new attempt."""
        return self.source.received_at if self.attempt == 1 else self.validated_at

    def has_been_unchanged_for(self, seconds: float) -> bool:
        """Whether its status last changed more than `seconds` ago."""
        return self.updated_at < clock.seconds_before(clock.now(), seconds)


class Ledger:
    """Reads and changes entries of FilesTable. Each change of status is logged and recorded as a metric.

    Methods that change an entry return whether the write's condition held; `claim` returns the entry, or None.
    """

    def __init__(self, table: str, dynamodb: Any = None, telemetry: Telemetry | None = None) -> None:  # noqa: ANN401 - as clients.dynamodb returns it
        self._dynamodb = dynamodb or clients.dynamodb()
        self._table = table
        self._telemetry = telemetry or Telemetry()

    def entry(self, source_id: str) -> Entry | None:
        """Return the entry of a source, read consistently; None if there is none."""
        response = self._dynamodb.get_item(TableName=self._table, Key={"source_id": source_id}, ConsistentRead=True)
        return _entry(response["Item"]) if "Item" in response else None

    def entries(self, source_ids: Iterable[str]) -> dict[str, Entry]:
        """Return the existing entries by source_id, read consistently. Raises TableThrottled if keys stay unread."""
        keys = [{"source_id": source_id} for source_id in dict.fromkeys(source_ids)]
        items = batch_get(self._dynamodb, self._table, keys)
        return {item["source_id"]: _entry(item) for item in items}

    def with_status(
        self, status: Status, since: str = "", condition: ConditionBase | None = None, *, oldest_first: bool = False
    ) -> Iterator[Entry]:
        """Yield the entries with a status, page by page; the last changed first, unless `oldest_first`.

        They are read from an index, which is eventually consistent. Entries that last changed before the timestamp
        `since`, or do not meet the condition, are left out.
        """
        keys: ConditionBase = Key("status").eq(status)
        if since:
            keys &= Key("updated_at").gte(since)
        query = {"IndexName": "by-status", "KeyConditionExpression": keys, "ScanIndexForward": oldest_first}
        yield from self._pages("query", query, condition)

    def search(self, condition: ConditionBase) -> Iterator[Entry]:
        """Yield the entries that meet a condition, in no order. Scans the whole table: for interactive use only."""
        is_entry = Attr("status").exists()  # the table contains the fences too
        yield from self._pages("scan", {}, is_entry & condition)

    def _pages(self, operation: str, request: dict[str, Any], condition: ConditionBase | None) -> Iterator[Entry]:
        filtered = request | ({"FilterExpression": condition} if condition else {})
        for page in self._dynamodb.get_paginator(operation).paginate(TableName=self._table, **filtered):
            yield from map(_entry, page["Items"])

    def claim(self, source: Source, lease_seconds: float) -> Entry | None:
        """Claim a source: create its entry as RECEIVED, or take over a RECEIVED source whose lease has expired.

        Returns:
            The claimed entry; its `updated_at` identifies the claim in later writes. None if the source is claimed by
            another invocation, or has a later status.
        """
        at = clock.now()
        new = Attr("source_id").not_exists()
        expired = Attr("status").eq(Status.RECEIVED) & Attr("updated_at").lt(clock.seconds_before(at, lease_seconds))
        claim = {"source_id": source.source_id, "status": Status.RECEIVED, "attempt": 1, "updated_at": at}
        item = asdict(source) | claim
        try:
            response = self._dynamodb.put_item(
                TableName=self._table, Item=item, ConditionExpression=new | expired, ReturnValues="ALL_OLD"
            )
        except ClientError as error:
            if error_code(error) == _CONDITION_FAILED:
                return None
            raise
        entry = _entry(item)
        _log(entry, Status.RECEIVED)
        if "Attributes" not in response:  # a claim that is taken over was counted before
            self._telemetry.record(Status.RECEIVED.metric)
        return entry

    def mark_valid(self, claimed: Entry, batch_id: str) -> bool:
        """Change a claimed source from RECEIVED to VALID, in a batch whose manifest has been written."""
        at = clock.now()
        return self._change(claimed, Status.VALID, _if_claimed(claimed), at, batch_id=batch_id, validated_at=at)

    def mark_quarantined(
        self, entry: Entry, reason: str, kept_key: str, outcome: SourceOutcome | None = None, cost: int | None = None
    ) -> bool:
        """Change a source to QUARANTINED: from RECEIVED by validate, or from RUNNING by settle, with outcome and cost.

        `kept_key` is where it was copied; '' if it stays at its landing key.
        """
        condition = _if_claimed(entry) if entry.status is Status.RECEIVED else _if_running(entry.execution_arn)
        changes = {"reason": reason, "archive_key": kept_key, **(_counts(outcome) if outcome else {})}
        return self._change(entry, Status.QUARANTINED, condition, clock.now(), **changes, **_costs(entry, cost))

    def fail_claimed(self, claimed: Entry, reason: str) -> bool:
        """Change a claimed source from RECEIVED to FAILED; the reason is OBJECT_GONE or UNREADABLE."""
        return self._change(claimed, Status.FAILED, _if_claimed(claimed), clock.now(), reason=reason)

    def renew(self, entry: Entry, batch_id: str, attempt: int, treatment: Treatment) -> bool:
        """Begin a new attempt: FAILED, ARCHIVED or QUARANTINED to VALID, unless the entry changed since it was read."""
        at = clock.now()
        renewable = Attr("status").is_in(list(RENEWABLE))
        cleared = dict.fromkeys(("execution_arn", "reason", "started_at", "published_at", "archived_at"), "")
        renewed = {"batch_id": batch_id, "attempt": attempt, "treatment": treatment, "validated_at": at}
        return self._change(entry, Status.VALID, renewable & _if_unchanged(entry), at, **renewed, **cleared)

    def mark_running(self, entry: Entry, execution_arn: str) -> bool:
        """Change a source from VALID to RUNNING, if the execution's batch and attempt are those of the source."""
        at = clock.now()
        batch_id, attempt = batch_and_attempt(execution_arn)
        same_batch = Attr("batch_id").eq(batch_id) & Attr("attempt").eq(attempt)
        condition = Attr("status").eq(Status.VALID) & same_batch
        return self._change(entry, Status.RUNNING, condition, at, execution_arn=execution_arn, started_at=at)

    def mark_published(
        self, entry: Entry, outcome: SourceOutcome, cost: int | None = None, songs_digest: str = ""
    ) -> bool:
        """Change a source from RUNNING to PUBLISHED with counts and cost, if its execution still holds it."""
        at = clock.now()
        changes = {
            "published_at": at,
            "first_published_at": entry.first_published_at or at,
            "failures": 0,
            "failing_since": "",
            "songs_digest": songs_digest,
            "left_out": "",
            **_counts(outcome),
            **_costs(entry, cost),
        }
        has_changed = self._change(entry, Status.PUBLISHED, _if_running(entry.execution_arn), at, **changes)
        if has_changed:
            self._record_publication(entry, outcome, at)
        return has_changed

    def mark_archived(self, entry: Entry, archive_key: str) -> bool:
        """Change a source from PUBLISHED to ARCHIVED, after its copy in the archive has been verified."""
        at = clock.now()
        condition = Attr("status").eq(Status.PUBLISHED) & Attr("execution_arn").eq(entry.execution_arn)
        return self._change(entry, Status.ARCHIVED, condition, at, archive_key=archive_key, archived_at=at)

    def mark_retracted(self, entry: Entry) -> bool:
        """Change a source from ARCHIVED to RETRACTED, after a run has processed it as empty."""
        condition = Attr("status").eq(Status.ARCHIVED) & Attr("treatment").eq(Treatment.RETRACT)
        return self._change(entry, Status.RETRACTED, condition, clock.now())

    def mark_failed(self, entry: Entry, execution_arn: str, reason: str) -> bool:
        """Change a source from RUNNING to FAILED, if that execution has claimed it."""
        at = clock.now()
        changes = {"reason": reason, "failures": entry.failures + 1, "failing_since": entry.failing_since or at}
        return self._change(entry, Status.FAILED, _if_running(execution_arn), at, **changes)

    def _change(self, entry: Entry, to: Status, condition: ConditionBase, at: str, **attributes: object) -> bool:
        changes = {"status": to, "updated_at": at, **attributes}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"source_id": entry.source.source_id},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in changes},
                ExpressionAttributeValues={f":{name}": value for name, value in changes.items()},
            )
        except ClientError as error:
            if error_code(error) == _CONDITION_FAILED:
                return False
            raise
        _log(entry, to, **attributes)
        self._telemetry.record(to.metric)
        return True

    def note_left_out(self, entry: Entry, why: str) -> None:
        """Record that a run could not read a published reference file; its status does not change."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key={"source_id": entry.source.source_id},
            UpdateExpression="SET left_out = :why",
            ExpressionAttributeValues={":why": why},
        )

    def _record_publication(self, entry: Entry, outcome: SourceOutcome, at: str) -> None:
        if entry.source.kind.is_reference:
            return
        self._telemetry.record(Metric.ROWS_ACCEPTED, outcome.rows_accepted)
        self._telemetry.record(Metric.ROWS_REJECTED, sum(outcome.rejected.values()))
        latency = seconds_between(entry.source.received_at, at)
        if not entry.first_published_at and latency is not None:
            self._telemetry.record(Metric.TIME_TO_PUBLISHED, max(0.0, latency))  # the clocks of S3 and Lambda differ


def _log(entry: Entry, to: Status, **attributes: object) -> None:
    """Log a change of status, so that a file can be followed in the log by its source_id."""
    keys = {
        "source_id": entry.source.source_id,
        "status": to.value,
        "attempt": attributes.get("attempt", entry.attempt),
        "batch_id": attributes.get("batch_id", entry.batch_id),
        "reason": attributes.get("reason"),
    }
    log.info("%s: %s", to, entry.source.uri, extra={name: value for name, value in keys.items() if value})


def _if_claimed(claimed: Entry) -> ConditionBase:
    return Attr("status").eq(Status.RECEIVED) & Attr("updated_at").eq(claimed.updated_at)


def _if_unchanged(entry: Entry) -> ConditionBase:
    return Attr("status").eq(entry.status) & Attr("updated_at").eq(entry.updated_at) & Attr("attempt").eq(entry.attempt)


def _if_running(execution_arn: str) -> ConditionBase:
    return Attr("status").eq(Status.RUNNING) & Attr("execution_arn").eq(execution_arn)


def _counts(outcome: SourceOutcome) -> dict[str, object]:
    return {name: getattr(outcome, name) for name in ("days", "rows_read", "rows_accepted", "rejected")}


def _costs(entry: Entry, cost: int | None) -> dict[str, object]:
    """Return the attributes for a cost.

    No other program changes the total meanwhile: only one execution settles an attempt, and only once.
    """
    if cost is None:
        return {}
    return {"cost_micro_usd": cost, "total_cost_micro_usd": entry.total_cost_micro_usd + cost}


def _entry(item: dict[str, Any]) -> Entry:
    # An old entry can have a size that is not a number: events were not validated. It must not prevent listing others.
    size = int(item["size"]) if isinstance(item["size"], Decimal | int) else 0
    source = Source(item["bucket"], item["key"], item["version_id"], size, item["received_at"])
    values = {field.name: _with_ints(item[field.name]) for field in fields(Entry) if field.name in item}
    enums = {"status": Status(item["status"]), "treatment": Treatment(item.get("treatment", ""))}
    return Entry(source=source, **(values | enums))


def _with_ints(value: Any) -> Any:  # noqa: ANN401 - what DynamoDB stores
    """Convert numbers to int: DynamoDB returns each as a Decimal, and those of the ledger are integers."""
    if isinstance(value, Decimal):
        return int(value)
    return {name: int(count) for name, count in value.items()} if isinstance(value, dict) else value
