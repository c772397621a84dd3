"""Comparing the items in MetricsTable with those counted from the lake (docs/design.md, section 4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from music_streams.aws.batch_get import KEYS_AT_ONCE, batch_get
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.display import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Item = dict[str, Any]
ItemKey = tuple[str, str]

_OF_THE_RUN = frozenset({"version", "lake_uuid", "batch_id", "updated_at"})


class Deviation(StrEnum):
    """How an item differs."""

    MISSING = "missing"
    """The lake has listens for it, and MetricsTable has no item."""
    GHOST = "ghost"
    """MetricsTable has an item, and the lake has no listen for it."""
    VALUE = "value"
    """An attribute of the item has another value."""


@dataclass(frozen=True)
class Difference:
    """A difference between an item and the lake.

    Attributes:
        pk, sk: the item's key.
        attribute: path of the value, such as ``top_songs[0].listen_count``; '' if the whole item differs.
        expected: value from the lake; None if there should be no such item or attribute.
        actual: value in MetricsTable; None if there is none.
    """

    pk: str
    sk: str
    deviation: Deviation
    attribute: str = ""
    expected: Any = None
    actual: Any = None

    @property
    def key(self) -> ItemKey:
        """The partition and sort key."""
        return self.pk, self.sk

    def __str__(self) -> str:
        name = f"{self.pk} / {self.sk}"
        if self.deviation is Deviation.MISSING:
            return f"{name} is missing: the lake has {plural(self.expected['listen_count'], 'listen')} for it"
        if self.deviation is Deviation.GHOST:
            return f"{name} is unexpected: the lake has no listen for it"
        actual = "missing" if self.actual is None else _shown(self.actual)
        expected = "missing" if self.expected is None else _shown(self.expected)
        return f"{name}: {self.attribute} is {actual} in MetricsTable and {expected} in the lake"


def drift(dynamodb: Any, metrics_table: str, day: str, expected: list[Item]) -> list[Difference]:  # noqa: ANN401 - see clients.dynamodb
    """Return the differences between MetricsTable and the lake, each confirmed by a consistent read.

    `expected` has every item of the day (YYYY-MM-DD), with TRACK items if they are published (see recount.recount).
    Unexpected TRACK items are not found: the index by day does not list them.

    Raises:
        TableThrottled: DynamoDB repeatedly leaves keys unprocessed.
    """
    listed = indexed_items(dynamodb, metrics_table, day)
    suspected = {difference.key for difference in differences(expected, listed)}  # All TRACK items are among them.
    confirmed = items_at(dynamodb, metrics_table, suspected)
    return differences([item for item in expected if _key(item) in suspected], confirmed)


def indexed_items(dynamodb: Any, metrics_table: str, day: str) -> list[Item]:  # noqa: ANN401 - see clients.dynamodb
    """Return the items of a day that the index by day lists: all but TRACK items.

    The index is eventually consistent, so :func:`drift` confirms what differs.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=metrics_table, IndexName="by-day", KeyConditionExpression=Key("day").eq(day)
    )
    return [item for page in pages for item in page["Items"]]


def items_at(dynamodb: Any, metrics_table: str, keys: Iterable[ItemKey]) -> list[Item]:  # noqa: ANN401 - see clients.dynamodb
    """Return the items of the keys that have one, read consistently. Raises TableThrottled if keys stay unprocessed."""
    wanted = [{"pk": pk, "sk": sk} for pk, sk in sorted(set(keys))]
    batches = [wanted[start:][:KEYS_AT_ONCE] for start in range(0, len(wanted), KEYS_AT_ONCE)]
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        responses = pool.map(lambda batch: list(batch_get(dynamodb, metrics_table, batch)), batches)
        return [item for items in responses for item in items]


def differences(expected: Iterable[Item], actual: Iterable[Item]) -> list[Difference]:
    """Return how the items of a day differ from the expected ones, by key; numbers compare by value.

    The attributes that identify the run that wrote an item (version, lake_uuid, batch_id, updated_at) are ignored.
    """
    wanted = {_key(item): item for item in expected}
    items = {_key(item): item for item in actual}
    return [
        difference
        for key in sorted(wanted.keys() | items.keys())
        for difference in _of_item(key, wanted.get(key), items.get(key))
    ]


def _of_item(key: ItemKey, expected: Item | None, actual: Item | None) -> Iterator[Difference]:
    if actual is None:
        yield Difference(*key, Deviation.MISSING, expected=expected)
    elif expected is None:
        yield Difference(*key, Deviation.GHOST, actual=actual)
    else:
        data = {name: value for name, value in actual.items() if name not in _OF_THE_RUN}
        for attribute, wanted, value in _compared("", expected, data):
            yield Difference(*key, Deviation.VALUE, attribute, wanted, value)


def _compared(path: str, expected: Any, actual: Any) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - any attribute
    """Yield path, expected and actual value of each difference within two values."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in sorted(expected.keys() | actual.keys()):
            yield from _compared(f"{path}.{name}".lstrip("."), expected.get(name), actual.get(name))
    elif isinstance(expected, list) and isinstance(actual, list):
        for index, (one, other) in enumerate(zip_longest(expected, actual)):
            yield from _compared(f"{path}[{index}]", one, other)
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):  # In Python 1 equals True.
        yield path, expected, actual


def _key(item: Mapping[str, Any]) -> ItemKey:
    return item["pk"], item["sk"]


def _shown(value: Any) -> str:  # noqa: ANN401 - any attribute
    """Return the value as text, without boto3's Decimal('…') around numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value) if isinstance(value, (int, Decimal)) else repr(value)
