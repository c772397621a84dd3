"""The consumers' schemas in the form that tests need: which attributes a kind of item has, and a check of values."""

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
    """The schema of one kind of item, to be used alone."""
    return {**ITEM["$defs"][kind], "$defs": ITEM["$defs"]}


def resolved(schema: Schema) -> Schema:
    """What a reference within metrics_item leads to."""
    return ITEM["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def attributes(schema: Schema) -> dict[str, Schema]:
    """The schema of each attribute, those of parts included."""
    found: dict[str, Schema] = {}
    for part in schema.get("allOf", []):
        found |= attributes(resolved(part))
    return found | {name: resolved(each) for name, each in schema.get("properties", {}).items()}


def check_itself(schema: Schema) -> None:
    """Raises where a schema is none of JSON Schema 2020-12."""
    Draft202012Validator.check_schema(schema)


def is_valid(schema: Schema, value: object) -> bool:
    """Whether a consumer's validator takes a value."""
    return bool(Draft202012Validator(schema).is_valid(plain(value)))


def faults(schema: Schema, value: object) -> Iterator[str]:
    """What the schema says against a value, and attributes that the schema does not know."""
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
        for position, each in enumerate(value):
            yield from _unknown(resolved(schema["items"]), each, f"{path}[{position}]")


def plain(value: Any) -> Any:
    """A value of DynamoDB as JSON has it: whole numbers are integers."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
