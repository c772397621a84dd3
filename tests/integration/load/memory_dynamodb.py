"""The DynamoDB calls of the pipeline, in memory: each is atomic and evaluates its condition, as in DynamoDB.

test_memory_dynamodb.py and tests/stateful/test_fakes.py compare its responses with moto's.
"""

# ruff: noqa: N803 - boto3's argument names

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from boto3.dynamodb.conditions import AttributeBase, ConditionBase
from botocore.exceptions import ClientError

Item = dict[str, Any]
Watch = Callable[[str, Item | None, Item | None], None]

_CLAUSE = re.compile(r"(SET|ADD) (.*?)(?= ADD |$)")


class MemoryDynamoDB:
    """A client that accepts plain Python values, see clients.dynamodb."""

    def __init__(self, tables: dict[str, tuple[str, ...]], watch: Watch = lambda *_: None) -> None:
        """`tables`: key attributes by table; `watch` is called for each write with table, old item and new item."""
        self._keys = tables
        self._items: dict[str, dict[tuple[Any, ...], Item]] = {name: {} for name in tables}
        self._watch = watch

    def items(self, table: str) -> list[Item]:
        """Return all items of a table."""
        return list(self._items[table].values())

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead
        found = self._items[TableName].get(self._key(TableName, Key))
        return {"Item": _copied(found)} if found else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        for table, asked in RequestItems.items():
            assert asked["ConsistentRead"]
            assert 0 < len(asked["Keys"]) <= 100
            keys = [self._key(table, key) for key in asked["Keys"]]
            assert len(set(keys)) == len(keys), "Provided list of item keys contains duplicates"
            found[table] = [_copied(self._items[table][key]) for key in keys if key in self._items[table]]
        return {"Responses": found, "UnprocessedKeys": {}}

    def put_item(
        self,
        *,
        TableName: str,
        Item: Item,
        ConditionExpression: ConditionBase | None = None,
        ReturnValues: str = "NONE",
    ) -> dict[str, Any]:
        self._check("PutItem", TableName, Item, ConditionExpression)
        before = self._items[TableName].get(self._key(TableName, Item))
        self._write(TableName, self._key(TableName, Item), _copied(Item))
        return {"Attributes": _copied(before)} if before and ReturnValues == "ALL_OLD" else {}

    def delete_item(
        self, *, TableName: str, Key: Item, ConditionExpression: ConditionBase | None = None
    ) -> dict[str, Any]:
        self._check("DeleteItem", TableName, Key, ConditionExpression)
        self._write(TableName, self._key(TableName, Key), None)
        return {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ConditionExpression: ConditionBase | None = None,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Any],
        ReturnValues: str = "NONE",
    ) -> dict[str, Any]:
        self._check("UpdateItem", TableName, Key, ConditionExpression)
        item = dict(self._items[TableName].get(self._key(TableName, Key), Key))
        for clause, changes in _CLAUSE.findall(UpdateExpression):
            for change in changes.split(", "):
                name, value = change.split(" = " if clause == "SET" else " ")
                given = _copied(ExpressionAttributeValues[value])
                attribute = ExpressionAttributeNames[name]
                item[attribute] = given if clause == "SET" else item.get(attribute, set()) | given
        self._write(TableName, self._key(TableName, Key), item)
        return {"Attributes": _copied(item)} if ReturnValues == "ALL_NEW" else {}

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self, operation)

    def _key(self, table: str, item: Item) -> tuple[Any, ...]:
        return tuple(item[name] for name in self._keys[table])

    def _check(self, operation: str, table: str, item: Item, condition: ConditionBase | None) -> None:
        if condition and not _holds(condition, self._items[table].get(self._key(table, item), {})):
            message = "The conditional request failed"
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": message}}, operation)

    def _write(self, table: str, key: tuple[Any, ...], item: Item | None) -> None:
        before = self._items[table].get(key)
        if item is None:
            self._items[table].pop(key, None)
        else:
            self._items[table][key] = item
        self._watch(table, before, item)


class _Pages:
    """A paginator that yields all items of a table, or of its index by-status or by-day, in one page."""

    def __init__(self, dynamodb: MemoryDynamoDB, operation: str) -> None:
        assert operation in {"query", "scan"}
        self._dynamodb = dynamodb
        self._operation = operation

    def paginate(
        self,
        *,
        TableName: str,
        FilterExpression: ConditionBase | None = None,
        KeyConditionExpression: ConditionBase | None = None,
        IndexName: str = "by-status",
        ScanIndexForward: bool = True,
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        partition, order = {"by-status": ("status", "updated_at"), "by-day": ("day", "pk")}[IndexName]
        items = self._dynamodb.items(TableName)
        if self._operation == "query":
            indexed = [item for item in items if {partition, order} <= item.keys()]
            items = sorted(indexed, key=lambda item: item[order], reverse=not ScanIndexForward)
        conditions = [each for each in (KeyConditionExpression, FilterExpression) if each]
        yield {"Items": [_copied(item) for item in items if all(_holds(each, item) for each in conditions)]}


def _copied(value: Any) -> Any:
    """Copy a value, so that callers can change theirs. copy.deepcopy takes ten times as long."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return set(value) if isinstance(value, set) else value


_OPERATORS: dict[str, Callable[..., Any]] = {
    "attribute_not_exists": lambda value: value is None,
    "attribute_exists": lambda value: value is not None,
    "=": operator.eq,
    "<>": operator.ne,
    "<": lambda value, other: value is not None and value < other,
    "<=": lambda value, other: value is not None and value <= other,
    ">=": lambda value, other: value is not None and value >= other,
    "IN": lambda value, others: value in others,
    "NOT": operator.not_,
    "AND": lambda one, other: one and other,
    "OR": lambda one, other: one or other,
}


def _holds(condition: ConditionBase, item: Item) -> bool:
    expression = condition.get_expression()
    return bool(_OPERATORS[expression["operator"]](*(_value(each, item) for each in expression["values"])))


def _value(operand: Any, item: Item) -> Any:
    if isinstance(operand, ConditionBase):
        return _holds(operand, item)
    return item.get(operand.name) if isinstance(operand, AttributeBase) else operand
