"""Timestamps and days in the form of ledger and metrics: ISO 8601 in UTC, so that strings sort by time."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UTC = timezone.utc  # noqa: UP017 - the load runs on Python 3.9


def timestamp(instant: datetime) -> str:
    """Return the timestamp of an instant, such as ``2026-11-21T21:03:25.123Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now() -> str:
    """Return the timestamp of the current time."""
    return timestamp(datetime.now(UTC))


def parse(text: str) -> datetime:
    """Parse a timestamp, or any ISO 8601 date and time with a zone, as in events of AWS."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def seconds_before(text: str, seconds: float) -> str:
    """Return the timestamp that is `seconds` before another."""
    return timestamp(parse(text) - timedelta(seconds=seconds))


def dates(first: str, last: str) -> list[str]:
    """Return the days from the first to the last, as ``2026-11-21``; none if the last is before the first."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]


def day_after(day: str) -> str:
    """Return the next day."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def ranges_of(days: Iterable[str]) -> list[tuple[str, str]]:
    """Return the first and last day of each range of consecutive days."""
    ranges: list[tuple[str, str]] = []
    for day in sorted(set(days)):
        if ranges and day_after(ranges[-1][1]) == day:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
