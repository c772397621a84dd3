"""The consumers' schemas for tests: the attributes of each kind of item, and a check of values."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator

from music_streams import schemas

Schema = Mapping[str, Any]

ITEM: Schema = schemas.load("metrics_item")
EVENT: Schema = schemas.load("metrics_published")
KINDS = ("genre_day", "country_day", "day_summary", "track_day")


def of_kind(kind: str) -> Schema:
    """Return the self-contained schema of one kind of item."""
    return {**ITEM["$defs"][kind], "$defs": ITEM["$defs"]}


def resolved(schema: Schema) -> Schema:
    """Return a schema, or the schema in metrics_item that it refers to."""
    return ITEM["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def attributes(schema: Schema) -> dict[str, Schema]:
    """Return the schema of each attribute, including those of parts."""
    known: dict[str, Schema] = {}
    for part in schema.get("allOf", []):
        known |= attributes(resolved(part))
    return known | {name: resolved(prop) for name, prop in schema.get("properties", {}).items()}


def check_itself(schema: Schema) -> None:
    """Raise an error unless the schema is valid JSON Schema 2020-12."""
    Draft202012Validator.check_schema(schema)


def is_valid(schema: Schema, value: object) -> bool:
    """Return whether a consumer's validator accepts a value."""
    return bool(Draft202012Validator(schema).is_valid(plain(value)))


def faults(schema: Schema, value: object) -> Iterator[str]:
    """Yield the errors of a value, and attributes that are not in the schema."""
    plain_value = plain(value)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(plain_value):
        yield f"{error.json_path}: {error.message}"
    yield from _unknown(schema, plain_value, "$")


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        known = attributes(schema)
        yield from (f"{path}.{name}: is not in the schema" for name in sorted(value.keys() - known.keys()))
        for name in value.keys() & known.keys():
            yield from _unknown(known[name], value[name], f"{path}.{name}")
    if isinstance(value, list):
        for position, element in enumerate(value):
            yield from _unknown(resolved(schema["items"]), element, f"{path}[{position}]")


def plain(value: Any) -> Any:
    """Return a DynamoDB value as in JSON: whole numbers are integers."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
