"""Type checks for dataclasses that were read from JSON."""

import types
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def well_typed(instance: T) -> T:
    """Return the dataclass instance itself.

    Raises:
        TypeError: one of its fields, or of the dataclasses inside it, has a value of another type than declared.
    """
    if not _fits(instance, type(instance)):
        raise TypeError
    return instance


def _fits(value: Any, kind: Any) -> bool:  # noqa: ANN401 - anything
    origin, parts = get_origin(kind), get_args(kind)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(n, parts[0]) and _fits(v, parts[1]) for n, v in value.items())
    if origin in {Union, types.UnionType}:
        return any(_fits(value, part) for part in parts)
    if kind is float:
        return type(value) in {int, float}
    if isinstance(kind, type) and is_dataclass(kind):
        return isinstance(value, kind) and all(_fits(getattr(value, n), of) for n, of in _hints(kind).items())
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)  # In Python True is a number.


@cache
def _hints(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a class
    return get_type_hints(kind)
