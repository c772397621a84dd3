"""The version fence: days are published so that no old number and no ghost item survives, whatever the order of runs.

To publish day D at version v (docs/design.md, section 4): the fence item takes v and the keys to be written; the
items are written; the fence is read again. Who finds a newer version there undoes what it wrote, and that is success:
a newer run has the day. Every write carries its own condition, so nothing needs a lock.
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
class Day:
    """What a day is to hold.

    Attributes:
        day: YYYY-MM-DD.
        items: all items of the day.
        lost: keys of items that are to go and that the fence does not list: of TRACK items that the run removed, and of
            what a rebuild found that is none of the day's.
    """

    day: str
    items: list[dict[str, Any]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)

    @property
    def listed(self) -> set[tuple[str, str]]:
        """The keys of the items that the fence lists."""
        return {(item["pk"], item["sk"]) for item in self.items if not item["pk"].startswith("TRACK#")}


@dataclass(frozen=True)
class Fence:
    """Publishes days at the version and lake of one run.

    Attributes:
        dynamodb: a client that takes plain Python values (see clients.dynamodb).
    """

    dynamodb: Any
    files_table: str
    metrics_table: str
    stamp: Provenance

    def publish(self, days: Iterable[Day]) -> list[str]:
        """Make the items of days stand, unless a newer run has them. Each step is taken for all days side by side.

        Returns:
            The days that stand at this run's version; a newer run has the others.
        """
        days = list(days)
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            outdated = dict(pool.map(self._raise_to_version, days))
            passed = [day for day in days if outdated[day.day] is not None]
            list(pool.map(self._put, [item for day in passed for item in day.items]))
            # What is lost goes whoever has the day: a newer run need not know of it, and its own items are newer.
            outdated_keys = [key for day in days for key in (*day.lost, *(outdated[day.day] or ()))]
            list(pool.map(self._delete_outdated, outdated_keys))
            overtaken = dict(pool.map(self._is_superseded, passed))
            standing = {day.day for day in passed if not overtaken[day.day]}
            list(pool.map(self._undo, [item for day in days if day.day not in standing for item in day.items]))
        return sorted(standing)

    def _raise_to_version(self, day: Day) -> tuple[str, set[tuple[str, str]] | None]:
        """Step 1. The day, and what else the fence lists: outdated keys; None where it stands at a newer version."""
        keys = day.listed
        change = "SET #version = :version, #lake = :lake, #at = :at"
        names = {"#version": "version", "#lake": "lake_uuid", "#at": "updated_at"}
        stamp = self.stamp
        values: dict[str, Any] = {":version": stamp.version, ":lake": stamp.lake_uuid, ":at": stamp.updated_at}
        if keys:  # a day that lost its last event has none to add, and DynamoDB knows no empty set
            change += " ADD #keys :keys"
            names["#keys"] = "keys"
            values[":keys"] = {json.dumps(key, ensure_ascii=False) for key in keys}
        try:
            answer = self.dynamodb.update_item(
                TableName=self.files_table,
                Key={"source_id": f"FENCE#{day.day}"},
                UpdateExpression=change,
                ConditionExpression=self._not_newer(),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return day.day, None
            raise
        stored = answer["Attributes"].get("keys", set())
        return day.day, {(pk, sk) for pk, sk in map(json.loads, stored)} - keys

    def _put(self, item: dict[str, Any]) -> None:
        self._write(self.dynamodb.put_item, self._not_newer(), Item=item)

    def _delete_outdated(self, key: tuple[str, str]) -> None:
        self._write(self.dynamodb.delete_item, self._not_newer(), Key={"pk": key[0], "sk": key[1]})

    def _write(self, write: Any, condition: ConditionBase, **what: Any) -> None:  # noqa: ANN401 - put or delete_item
        """Step 2 for one item. Where a newer run wrote it already, step 3 will tell."""
        try:
            write(TableName=self.metrics_table, ConditionExpression=condition, **what)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _is_superseded(self, day: Day) -> tuple[str, bool]:
        """Step 3. The day, and whether a newer run has it."""
        answer = self.dynamodb.get_item(
            TableName=self.files_table, Key={"source_id": f"FENCE#{day.day}"}, ConsistentRead=True
        )
        fence = answer["Item"]
        return day.day, bool(fence["lake_uuid"] != self.stamp.lake_uuid or fence["version"] > self.stamp.version)

    def _undo(self, item: dict[str, Any]) -> None:
        """Delete what this run wrote, in this try or an earlier one, where no newer run wrote over it."""
        is_own = Attr("version").eq(self.stamp.version) & Attr("lake_uuid").eq(self.stamp.lake_uuid)
        self._write(self.dynamodb.delete_item, is_own, Key={"pk": item["pk"], "sk": item["sk"]})

    def _not_newer(self) -> ConditionBase:
        """What stands is absent, not newer than this run, or of another lake table."""
        is_not_newer = Attr("version").not_exists() | Attr("version").lte(self.stamp.version)
        return is_not_newer | Attr("lake_uuid").ne(self.stamp.lake_uuid)
