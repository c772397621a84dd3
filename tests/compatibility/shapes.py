"""The form of a JSON document: the paths and types of its fields, and the values that programs compare."""

import copy
import re
from collections.abc import Iterator
from typing import Any

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", dict: "object"}
_DATA = re.compile(r"[0-9a-f]{32}|\d{4}-\d\d-\d\d")  # ids and days, which are data even if they are the name of a field
_CODE = re.compile(r"[A-Za-z]+([_-][A-Za-z]+)*")


def fields(document: object) -> set[str]:
    """Return each field with its type, as ``content.sources.*.size: integer``; ``*`` is any element, id or day."""
    return {f"{path}: {_TYPES.get(type(value), 'array')}" for path, value in _walk(document, "")}


def codes(document: object) -> set[str]:
    """Return each one-word string with its path, as ``item.status.S = FAILED``: programs compare such values."""
    return {
        f"{path} = {value}" for path, value in _walk(document, "") if isinstance(value, str) and _CODE.fullmatch(value)
    }


def without(document: Any, path: str) -> Any:
    """Return a copy of a document without the fields that match the path.

    Raises:
        LookupError: no field matches.
    """
    result = copy.deepcopy(document)
    *parents, name = path.split(".")
    nodes = [result]
    for parent in parents:
        nodes = [child for node in nodes for child in _children(node, parent)]
    owners = [node for node in nodes if name in node]
    if not owners:
        raise LookupError(f"there is no field {path}")
    for owner in owners:
        del owner[name]
    return result


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _walk(child, f"{path}.{'*' if _DATA.fullmatch(name) else name}".lstrip("."))
    elif isinstance(value, list):
        for child in value:
            yield from _walk(child, f"{path}.*")


def _children(node: Any, name: str) -> list[Any]:
    if name != "*":
        return [node[name]] if name in node else []
    return list(node.values() if isinstance(node, dict) else node)
