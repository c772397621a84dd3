"""Strict parsing of untrusted values: anything that does not exactly have the expected form is rejected.

Each function raises ValueError for any other value. The error names the expected form and never repeats the
value, which may be personal data or crafted to mislead its reader.
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
    """Parse a JSON object in which no name occurs twice and whose text can be encoded as UTF-8."""
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair can be parsed but not encoded
    except RecursionError:
        raise ValueError("must be a JSON object that is not nested a thousand levels deep") from None
    except ValueError:
        raise ValueError("must be a JSON object") from None
    return mapping(content)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject repeated names: JSON allows them, and parsers differ in which value they use."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _refused(_constant: str) -> float:
    """Reject NaN and Infinity, which Python accepts although JSON has no such numbers."""
    raise ValueError


def mapping(value: object) -> dict[str, Any]:
    """Return a nested JSON object."""
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def whole(value: object, least: int = 1, most: int = MAX_WHOLE) -> int:
    """Return a whole number; true, 1.0 and "1" are rejected."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def text(value: object, pattern: re.Pattern[str], form: str) -> str:
    """Return a text that matches the whole pattern; `form` describes the pattern in the error."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"must be {form}")
    return value


def utf8(value: object, most_bytes: int) -> str:
    """Return a text of 1 to `most_bytes` bytes in UTF-8."""
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
    """Return a day such as ``2026-11-21``."""
    day_text = text(value, _DAY, "a day such as 2026-11-21")
    try:
        date.fromisoformat(day_text)
    except ValueError:
        raise ValueError("must be a day that exists in the calendar") from None
    return day_text


def timestamp(value: object) -> str:
    """Return an ISO 8601 timestamp with a zone, such as ``2026-11-21T21:03:25Z``, unchanged."""
    timestamp_text = text(value, _TIMESTAMP, "a timestamp such as 2026-11-21T21:03:25.123Z")
    try:
        clock.timestamp(clock.parse(timestamp_text))
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time that exist in the calendar") from None
    return timestamp_text
