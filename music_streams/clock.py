"""Timestamps as ledger and metrics hold them: ISO 8601 in UTC with milliseconds, so that strings sort by time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UTC = timezone.utc  # noqa: UP017 - the load runs on Python 3.9


def stamp(moment: datetime) -> str:
    """Write a moment as ``2026-11-21T21:03:25.123Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now() -> str:
    """The present moment as a stamp."""
    return stamp(datetime.now(UTC))


def parse(text: str) -> datetime:
    """Read a stamp, or any ISO 8601 moment with a zone, as AWS events carry it."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def seconds_before(text: str, seconds: float) -> str:
    """The stamp that lies `seconds` before another."""
    return stamp(parse(text) - timedelta(seconds=seconds))
