"""What stands in MetricsTable, held against what the lake says (docs/design.md, section 4)."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Item = dict[str, Any]
ItemKey = tuple[str, str]

_OF_THE_RUN = frozenset({"version", "lake_uuid", "batch_id", "updated_at"})


class Deviation(StrEnum):
    """How an item differs."""

    MISSING = "missing"
    """The lake accounts for it, and it does not stand."""
    GHOST = "ghost"
    """It stands, and no listen in the lake accounts for it."""
    VALUE = "value"
    """It stands, with another value of an attribute."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not what the lake says.

    Attributes:
        pk, sk: of the item.
        attribute: where the value lies, such as ``top_songs[0].listen_count``; '' where the whole item differs.
        expected: what the lake says; None where there should be no such item or attribute.
        found: what stands; None where nothing does.
    """

    pk: str
    sk: str
    what: Deviation
    attribute: str = ""
    expected: Any = None
    found: Any = None

    @property
    def key(self) -> ItemKey:
        """Partition and sort key."""
        return self.pk, self.sk

    def __str__(self) -> str:
        name = f"{self.pk} / {self.sk}"
        if self.what is Deviation.MISSING:
            return f"{name} is missing: the lake has {self.expected['listen_count']} listens of it"
        if self.what is Deviation.GHOST:
            return f"{name} is a ghost: the lake has no listen of it"
        found = "missing" if self.found is None else _shown(self.found)
        expected = "nothing of it" if self.expected is None else _shown(self.expected)
        return f"{name}: {self.attribute} is {found}, the lake says {expected}"


def drift(dynamodb: Any, metrics_table: str, day: str, expected: list[Item]) -> list[Difference]:  # noqa: ANN401 - see clients.dynamodb
    """What MetricsTable does not hold as the lake says, for certain: what is in question is read again, consistently.

    TRACK items that should not be there are not found: the index by day does not list them.

    Args:
        dynamodb: a client that takes and gives plain Python values (see clients.dynamodb).
        metrics_table: the table's name.
        day: YYYY-MM-DD.
        expected: every item of the day, TRACK items if they are published (see :func:`recount.recount`).

    Raises:
        TableThrottled: DynamoDB keeps leaving keys unread.
    """
    listed = standing(dynamodb, metrics_table, day)
    suspected = {each.key for each in differences(expected, listed)}  # every TRACK item too
    confirmed = items_at(dynamodb, metrics_table, suspected)
    return differences([item for item in expected if _key(item) in suspected], confirmed)


def standing(dynamodb: Any, metrics_table: str, day: str) -> list[Item]:  # noqa: ANN401 - see clients.dynamodb
    """The items of a day that the index by day lists: all but TRACK items.

    An index lags behind its table: what it says is a suspicion (see :func:`drift`).
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=metrics_table, IndexName="by-day", KeyConditionExpression=Key("day").eq(day)
    )
    return [item for page in pages for item in page["Items"]]


def items_at(dynamodb: Any, metrics_table: str, keys: Iterable[ItemKey]) -> list[Item]:  # noqa: ANN401 - see clients.dynamodb
    """The items of the given keys, read consistently; of a key that has none, none.

    Raises:
        TableThrottled: DynamoDB keeps leaving keys unread.
    """
    wanted = [{"pk": pk, "sk": sk} for pk, sk in sorted(set(keys))]
    batches = [wanted[start:][:KEYS_AT_ONCE] for start in range(0, len(wanted), KEYS_AT_ONCE)]
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        found = pool.map(lambda batch: list(batch_get(dynamodb, metrics_table, batch)), batches)
        return [item for items in found for item in items]


def differences(expected: Iterable[Item], standing: Iterable[Item]) -> list[Difference]:
    """How the standing items of a day differ from the expected ones, by key; numbers compare by value.

    What only tells which run wrote an item (version, lake_uuid, batch_id, updated_at) is no difference.
    """
    wanted = {_key(item): item for item in expected}
    found = {_key(item): item for item in standing}
    return [
        difference
        for key in sorted(wanted.keys() | found.keys())
        for difference in _of_item(key, wanted.get(key), found.get(key))
    ]


def _of_item(key: ItemKey, expected: Item | None, found: Item | None) -> Iterator[Difference]:
    if found is None:
        yield Difference(*key, Deviation.MISSING, expected=expected)
    elif expected is None:
        yield Difference(*key, Deviation.GHOST, found=found)
    else:
        data = {name: value for name, value in found.items() if name not in _OF_THE_RUN}
        for attribute, wanted, actual in _compared("", expected, data):
            yield Difference(*key, Deviation.VALUE, attribute, wanted, actual)


def _compared(path: str, expected: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - any attribute
    """Path, expected and found value of all that differs within two values."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            yield from _compared(f"{path}.{name}".lstrip("."), expected.get(name), found.get(name))
    elif isinstance(expected, list) and isinstance(found, list):
        for place, (one, other) in enumerate(zip_longest(expected, found)):
            yield from _compared(f"{path}[{place}]", one, other)
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):  # to Python 1 is True
        yield path, expected, found


def _key(item: Mapping[str, Any]) -> ItemKey:
    return item["pk"], item["sk"]


def _shown(value: Any) -> str:  # noqa: ANN401 - any attribute
    """The value without boto3's Decimal('…') around numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value) if isinstance(value, (int, Decimal)) else repr(value)
