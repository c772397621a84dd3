"""Values that came from outside, as strict types: what is not exactly of the form that was asked for is refused.

Each function raises ValueError for a value of another form. The error says which form was wanted and never repeats the
value: it may be personal, or written to deceive its reader.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from music_streams import clock

MAX_WHOLE = 2**63 - 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object that a text holds: no name in it comes twice, and all of its text can be written as UTF-8."""
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair can be read, and never written
    except RecursionError:
        raise ValueError("must be a JSON object, not nested a thousandfold") from None
    except ValueError:
        raise ValueError("must be a JSON object") from None
    return mapping(content)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a name come twice, and readers differ in which of the values counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refused(_constant: str) -> float:
    """NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError


def mapping(value: object) -> dict[str, Any]:
    """A JSON object inside another."""
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def whole(value: object, least: int = 1, most: int = MAX_WHOLE) -> int:
    """A whole number; true, 1.0 and "1" are none."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def text(value: object, pattern: re.Pattern[str], form: str) -> str:
    """A text that matches a pattern from its first character to its last; the error of another asks for `form`."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"must be {form}")
    return value


def utf8(value: object, most_bytes: int) -> str:
    """A text of 1 to so many bytes as UTF-8."""
    error = ValueError(f"must be text of 1 to {most_bytes:,} bytes in UTF-8")
    if not isinstance(value, str):
        raise error
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise error from None
    if not 1 <= size <= most_bytes:
        raise error
    return value


def day(value: object) -> str:
    """A day as ``2026-11-21``."""
    found = text(value, _DAY, "a day such as 2026-11-21")
    try:
        date.fromisoformat(found)
    except ValueError:
        raise ValueError("must be a day of the calendar") from None
    return found


def timestamp(value: object) -> str:
    """A moment in ISO 8601 with its zone, such as ``2026-11-21T21:03:25Z``, as it came."""
    found = text(value, _TIMESTAMP, "a timestamp such as 2026-11-21T21:03:25.123Z")
    try:
        clock.stamp(clock.parse(found))
    except (ValueError, OverflowError):
        raise ValueError("must be a moment of the calendar") from None
    return found
