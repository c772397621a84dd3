"""The form of a JSON document: the paths of its fields, the type of each, and the values that programs compare."""

import copy
import re
from collections.abc import Iterator
from typing import Any

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", dict: "object"}
_DATA = re.compile(r"[0-9a-f]{32}|\d{4}-\d\d-\d\d")  # ids and days: as a field's name they are data, not names
_CODE = re.compile(r"[A-Za-z]+([_-][A-Za-z]+)*")


def fields(document: object) -> set[str]:
    """Each field with its type, as ``content.sources.*.size: integer``; ``*`` is any element, id or day."""
    return {f"{path}: {_TYPES.get(type(value), 'array')}" for path, value in _walk(document, "")}


def codes(document: object) -> set[str]:
    """Each text that is one word, with its path, as ``item.status.S = FAILED``: a name that programs compare."""
    return {
        f"{path} = {value}" for path, value in _walk(document, "") if isinstance(value, str) and _CODE.fullmatch(value)
    }


def without(document: Any, path: str) -> Any:
    """A copy of a document that lacks a field wherever the path leads.

    Raises:
        LookupError: the path leads to no field.
    """
    left = copy.deepcopy(document)
    *parents, name = path.split(".")
    places = [left]
    for parent in parents:
        places = [found for place in places for found in _below(place, parent)]
    having = [place for place in places if name in place]
    if not having:
        raise LookupError(f"there is no field {path}")
    for place in having:
        del place[name]
    return left


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(each, f"{path}.{'*' if _DATA.fullmatch(name) else name}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each, f"{path}.*")


def _below(place: Any, name: str) -> list[Any]:
    if name != "*":
        return [place[name]] if name in place else []
    return list(place.values() if isinstance(place, dict) else place)
