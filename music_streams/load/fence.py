"""The version fence: publishes days so that no stale value and no unexpected item remains, whatever the order of runs.

Publishing day D at version v has three steps (docs/design.md, section 4): write v and the item keys to the fence item,
write the items, read the fence again. A run that reads a newer version there is superseded: it deletes what it wrote,
and this is success, because the newer run, or its retry, publishes the day. Every write is conditional, without a lock.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from music_streams.aws.clients import PARALLEL_CALLS, error_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from boto3.dynamodb.conditions import ConditionBase

    from music_streams.load.items import Provenance


@dataclass
class DayToPublish:
    """The items to publish for a day.

    Attributes:
        date: YYYY-MM-DD.
        items: all items of the day.
        keys_to_delete: keys of items to delete that the fence does not list: TRACK items that the run removed, and
            unexpected keys that a rebuild found.
    """

    date: str
    items: list[dict[str, Any]] = field(default_factory=list)
    keys_to_delete: list[tuple[str, str]] = field(default_factory=list)

    @property
    def fence_keys(self) -> set[tuple[str, str]]:
        """The keys to add to the fence: those of all items of the day except TRACK items."""
        return {(item["pk"], item["sk"]) for item in self.items if not item["pk"].startswith("TRACK#")}


@dataclass(frozen=True)
class DayPublisher:
    """Publishes days for the run in `provenance`; `dynamodb` accepts plain Python values (see clients.dynamodb)."""

    dynamodb: Any
    files_table: str
    metrics_table: str
    provenance: Provenance

    def publish(self, days: Iterable[DayToPublish]) -> list[str]:
        """Publish the items of days whose fence no newer run has advanced. Each step runs concurrently for all days.

        Returns:
            The days that are published at this run's version; a newer run has advanced the fence of the others.
        """
        days = list(days)
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            stale_keys = dict(pool.map(self._advance_fence, days))
            accepted = [day for day in days if stale_keys[day.date] is not None]
            list(pool.map(self._put, [item for day in accepted for item in day.items]))
            # Delete these even if the fence has a newer version: it does not always list them, and the condition
            # protects the items of the newer run.
            keys_to_delete = [key for day in days for key in (*day.keys_to_delete, *(stale_keys[day.date] or ()))]
            list(pool.map(self._delete_stale, keys_to_delete))
            superseded = dict(pool.map(self._check_superseded, accepted))
            published = {day.date for day in accepted if not superseded[day.date]}
            list(pool.map(self._undo, [item for day in days if day.date not in published for item in day.items]))
        return sorted(published)

    def _advance_fence(self, day: DayToPublish) -> tuple[str, set[tuple[str, str]] | None]:
        """Step 1. Set the fence to this run's version, unless it has a newer one.

        Returns:
            The date, and the keys in the fence that only earlier versions wrote; None if the fence has a newer version.
        """
        keys = day.fence_keys
        change = "SET #version = :version, #lake = :lake, #at = :at"
        names = {"#version": "version", "#lake": "lake_uuid", "#at": "updated_at"}
        own = self.provenance
        values: dict[str, Any] = {":version": own.version, ":lake": own.lake_uuid, ":at": own.updated_at}
        if keys:  # a day without events has none, and DynamoDB has no empty sets
            change += " ADD #keys :keys"
            names["#keys"] = "keys"
            values[":keys"] = {json.dumps(key, ensure_ascii=False) for key in keys}
        try:
            response = self.dynamodb.update_item(
                TableName=self.files_table,
                Key={"source_id": f"FENCE#{day.date}"},
                UpdateExpression=change,
                ConditionExpression=self._not_newer(),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return day.date, None
            raise
        stored = response["Attributes"].get("keys", set())
        return day.date, {(pk, sk) for pk, sk in map(json.loads, stored)} - keys

    def _put(self, item: dict[str, Any]) -> None:
        self._write(self.dynamodb.put_item, self._not_newer(), Item=item)

    def _delete_stale(self, key: tuple[str, str]) -> None:
        self._write(self.dynamodb.delete_item, self._not_newer(), Key={"pk": key[0], "sk": key[1]})

    def _write(self, write: Any, condition: ConditionBase, **arguments: Any) -> None:  # noqa: ANN401 - put or delete
        """Put or delete one item on a condition; a failed one means that a newer run wrote the item, and is ignored."""
        try:
            write(TableName=self.metrics_table, ConditionExpression=condition, **arguments)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _check_superseded(self, day: DayToPublish) -> tuple[str, bool]:
        """Step 3. Return the date, and whether a newer run has advanced the fence."""
        response = self.dynamodb.get_item(
            TableName=self.files_table, Key={"source_id": f"FENCE#{day.date}"}, ConsistentRead=True
        )
        fence = response["Item"]
        own = self.provenance
        return day.date, bool(fence["lake_uuid"] != own.lake_uuid or fence["version"] > own.version)

    def _undo(self, item: dict[str, Any]) -> None:
        """Delete an item if this run wrote it, in this job run or an earlier one, and no newer run overwrote it."""
        own = Attr("version").eq(self.provenance.version) & Attr("lake_uuid").eq(self.provenance.lake_uuid)
        self._write(self.dynamodb.delete_item, own, Key={"pk": item["pk"], "sk": item["sk"]})

    def _not_newer(self) -> ConditionBase:
        """Return the condition that the stored item is absent, not newer than this run, or of another lake table."""
        is_not_newer = Attr("version").not_exists() | Attr("version").lte(self.provenance.version)
        return is_not_newer | Attr("lake_uuid").ne(self.provenance.lake_uuid)
