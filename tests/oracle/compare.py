"""Compares the items in MetricsTable with those that the oracle expects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

OF_THE_RUN = frozenset({"version", "batch_id", "updated_at", "lake_uuid"})
"""Attributes that depend on the run, not only on the data: they must be present, whatever their value."""


def scan_items(table: Any) -> list[dict[str, Any]]:
    """Return all items of a boto3 Table by consistent reads."""
    items: list[dict[str, Any]] = []
    request: dict[str, Any] = {"ConsistentRead": True}
    while True:
        page = table.scan(**request)
        items.extend(page["Items"])
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def differences(
    expected: Mapping[tuple[str, str], Mapping[str, Any]], actual_items: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return one line for each difference, sorted by key; empty if the table is exactly as expected."""
    actual = {(item["pk"], item["sk"]): item for item in actual_items}
    lines = []
    for key in sorted(expected.keys() | actual.keys()):
        name = " / ".join(key)
        if key not in actual:
            lines.append(f"{name}: is missing")
        elif key not in expected:
            lines.append(f"{name}: is a ghost, no listen accounts for it: {_shown(actual[key])}")
        else:
            data = {k: v for k, v in actual[key].items() if k not in OF_THE_RUN | {"pk", "sk"}}
            lines += [f"{name}: {difference}" for difference in _compared("", expected[key], data)]
        if key in actual:
            lines += [f"{name}: {fault}" for fault in _faults_of_the_run(actual[key])]
    return lines


def _faults_of_the_run(item: Mapping[str, Any]) -> Iterator[str]:
    for attribute in sorted(OF_THE_RUN):
        if attribute not in item:
            yield f"{attribute} is missing"
    version = item.get("version", 1)
    is_positive_integer = _is_number(version) and version > 0 and version == int(version)
    if not is_positive_integer:
        yield f"version is {_shown(version)}, expected a positive integer"


def _compared(path: str, expected: Any, actual: Any) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for attribute in sorted(expected.keys() | actual.keys()):
            below = f"{path}.{attribute}" if path else attribute
            if attribute not in actual:
                yield f"{below} is missing, expected {_shown(expected[attribute])}"
            elif attribute not in expected:
                yield f"{below} is {_shown(actual[attribute])}, expected no such attribute"
            else:
                yield from _compared(below, expected[attribute], actual[attribute])
    elif _is_list(expected) and _is_list(actual) and len(expected) == len(actual):
        for position, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _compared(f"{path}[{position}]", one, other)
    elif _is_number(expected) != _is_number(actual) or expected != actual:
        yield f"{path} is {_shown(actual)}, expected {_shown(expected)}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """Format a value without boto3's Decimal('…') around numbers, but with quotes around strings."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_shown(v)}" for k, v in value.items()) + "}"
    if _is_list(value):
        return "[" + ", ".join(_shown(v) for v in value) + "]"
    return str(value) if _is_number(value) else repr(value)
