"""The version fence: days are published so that no old number and no ghost item survives, whatever the order of runs.

To publish day D at version v (docs/design.md, section 4): the fence item takes v and the keys to be written; the
items are written; the fence is read again. Who finds a newer version there undoes what it wrote, and that is success:
a newer run has the day. Every write carries its own condition, so nothing needs a lock.
"""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from music_streams.aws import PARALLEL_CALLS, error_code

if TYPE_CHECKING:
    from boto3.dynamodb.conditions import ConditionBase

    from music_streams.load.items import Stamp

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fence:
    """Publishes days at the version and lake of one run.

    Attributes:
        dynamodb: a client that takes plain Python values (see aws.dynamodb).
    """

    dynamodb: Any
    files_table: str
    metrics_table: str
    stamp: Stamp

    def publish(self, day: str, items: list[dict[str, Any]]) -> bool:
        """Make a day's items stand, unless a newer run has the day.

        Args:
            day: YYYY-MM-DD.
            items: all items of the day; TRACK items among them are written under the same condition, but not listed.

        Returns:
            Whether the day stands at this run's version; False means that a newer run has it.
        """
        keys = {(item["pk"], item["sk"]) for item in items if not item["pk"].startswith("TRACK#")}
        listed = self._raise_to_version(day, keys)
        if listed is None:
            self._undo(items)
            return False
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(self._put, items))
            list(pool.map(self._delete_outdated, listed - keys))
        if self._is_overtaken(day):
            self._undo(items)
            return False
        return True

    def _raise_to_version(self, day: str, keys: set[tuple[str, str]]) -> set[tuple[str, str]] | None:
        """Step 1. All keys that the fence lists now, or None where it stands at a newer version."""
        names = {"#version": "version", "#lake": "lake_uuid", "#at": "updated_at", "#keys": "keys"}
        values: dict[str, Any] = {
            ":version": self.stamp.version,
            ":lake": self.stamp.lake_uuid,
            ":at": self.stamp.updated_at,
            ":keys": {json.dumps(key, ensure_ascii=False) for key in keys},
        }
        # A day that lost its last event has no keys to add, and DynamoDB knows no empty set.
        change = "SET #version = :version, #lake = :lake, #at = :at" + (" ADD #keys :keys" if keys else "")
        if not keys:
            del names["#keys"], values[":keys"]
        try:
            answer = self.dynamodb.update_item(
                TableName=self.files_table,
                Key={"source_id": f"FENCE#{day}"},
                UpdateExpression=change,
                ConditionExpression=self._not_newer(),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return None
            raise
        stored = answer["Attributes"].get("keys", set())
        return {(pk, sk) for pk, sk in map(json.loads, stored)}

    def _put(self, item: dict[str, Any]) -> None:
        self._unless_newer(self.dynamodb.put_item, Item=item)

    def _delete_outdated(self, key: tuple[str, str]) -> None:
        self._unless_newer(self.dynamodb.delete_item, Key={"pk": key[0], "sk": key[1]})

    def _unless_newer(self, write: Any, **what: Any) -> None:  # noqa: ANN401 - put_item or delete_item
        """Step 2 for one item. Where a newer run wrote it already, step 3 will tell."""
        try:
            write(TableName=self.metrics_table, ConditionExpression=self._not_newer(), **what)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _is_overtaken(self, day: str) -> bool:
        """Step 3."""
        answer = self.dynamodb.get_item(
            TableName=self.files_table, Key={"source_id": f"FENCE#{day}"}, ConsistentRead=True
        )
        fence = answer["Item"]
        return bool(fence["lake_uuid"] != self.stamp.lake_uuid or fence["version"] > self.stamp.version)

    def _undo(self, items: list[dict[str, Any]]) -> None:
        """Delete what this run wrote, in this try or an earlier one, where no newer run wrote over it."""
        is_own = Attr("version").eq(self.stamp.version) & Attr("lake_uuid").eq(self.stamp.lake_uuid)

        def delete(item: dict[str, Any]) -> None:
            try:
                self.dynamodb.delete_item(
                    TableName=self.metrics_table, Key={"pk": item["pk"], "sk": item["sk"]}, ConditionExpression=is_own
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(delete, items))

    def _not_newer(self) -> ConditionBase:
        """What stands is absent, not newer than this run, or of another lake table."""
        is_not_newer = Attr("version").not_exists() | Attr("version").lte(self.stamp.version)
        return is_not_newer | Attr("lake_uuid").ne(self.stamp.lake_uuid)
