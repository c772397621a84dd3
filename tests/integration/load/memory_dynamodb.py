"""The few DynamoDB calls of the fence, in memory: each is atomic and honours its condition, as DynamoDB promises.

That it answers as moto does is itself tested: test_memory_dynamodb.py.
"""

# ruff: noqa: N803 - the arguments are named as boto3 names them

import copy
import re
from typing import Any

from boto3.dynamodb.conditions import AttributeBase, ConditionBase
from botocore.exceptions import ClientError

Item = dict[str, Any]

_CLAUSE = re.compile(r"(SET|ADD) (.*?)(?= ADD |$)")


class MemoryDynamoDB:
    """A client that takes plain Python values, see aws.dynamodb."""

    def __init__(self, tables: dict[str, tuple[str, ...]]) -> None:
        """`tables`: the key attributes of each table."""
        self._keys = tables
        self._items: dict[str, dict[tuple[Any, ...], Item]] = {name: {} for name in tables}

    def items(self, table: str) -> list[Item]:
        """All items of a table."""
        return list(self._items[table].values())

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead
        found = self._items[TableName].get(self._key(TableName, Key))
        return {"Item": copy.deepcopy(found)} if found else {}

    def put_item(self, *, TableName: str, Item: Item, ConditionExpression: ConditionBase) -> dict[str, Any]:
        self._check("PutItem", TableName, Item, ConditionExpression)
        self._items[TableName][self._key(TableName, Item)] = copy.deepcopy(Item)
        return {}

    def delete_item(self, *, TableName: str, Key: Item, ConditionExpression: ConditionBase) -> dict[str, Any]:
        self._check("DeleteItem", TableName, Key, ConditionExpression)
        self._items[TableName].pop(self._key(TableName, Key), None)
        return {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ConditionExpression: ConditionBase,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Any],
        ReturnValues: str,
    ) -> dict[str, Any]:
        assert ReturnValues == "ALL_NEW"
        self._check("UpdateItem", TableName, Key, ConditionExpression)
        item = self._items[TableName].setdefault(self._key(TableName, Key), dict(Key))
        for clause, changes in _CLAUSE.findall(UpdateExpression):
            for change in changes.split(", "):
                name, value = change.split(" = " if clause == "SET" else " ")
                given = ExpressionAttributeValues[value]
                attribute = ExpressionAttributeNames[name]
                item[attribute] = given if clause == "SET" else item.get(attribute, set()) | given
        return {"Attributes": copy.deepcopy(item)}

    def _key(self, table: str, item: Item) -> tuple[Any, ...]:
        return tuple(item[name] for name in self._keys[table])

    def _check(self, operation: str, table: str, item: Item, condition: ConditionBase) -> None:
        if not _holds(condition, self._items[table].get(self._key(table, item), {})):
            message = "The conditional request failed"
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": message}}, operation)


def _holds(condition: ConditionBase, item: Item) -> bool:
    expression = condition.get_expression()
    first, *others = (_value(each, item) for each in expression["values"])
    match expression["operator"]:
        case "attribute_not_exists":
            return first is None
        case "=":
            return bool(first == others[0])
        case "<>":
            return bool(first != others[0])
        case "<=":
            return first is not None and bool(first <= others[0])
        case "AND":
            return bool(first and others[0])
        case "OR":
            return bool(first or others[0])
        case unknown:
            raise NotImplementedError(unknown)


def _value(operand: Any, item: Item) -> Any:
    if isinstance(operand, ConditionBase):
        return _holds(operand, item)
    return item.get(operand.name) if isinstance(operand, AttributeBase) else operand
