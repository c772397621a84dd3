"""Tiny streams files and reference data, and their metrics by the contract: plain Python, independent of the product.

docs/design.md, sections 3 and 4; top songs and genres are left to the tests of the aggregation.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HEADER = "user_id,track_id,listen_time"
TRACKS = tuple(name * 22 for name in "AB")
USERS = ("1", "2")
TIMES = ("2024-06-25 23:59:59", "2024-06-26 00:00:00")
DAYS = ("2024-06-25", "2024-06-26")
ROWS = tuple(f"{user},{track},{time}" for user in USERS for track in TRACKS for time in TIMES)
BAD_ROW = f"x,{TRACKS[0]},{TIMES[0]}"
Key = tuple[str, str]


def streams_file(rows: Iterable[str]) -> bytes:
    """Return a streams file with some of the ROWS."""
    return "\n".join([HEADER, *rows]).encode()


@dataclass(frozen=True)
class Reference:
    """The songs and users under reference/ from some time on.

    Attributes:
        genres: of each known track.
        countries: of each known user.
        version: epoch milliseconds.
    """

    genres: dict[str, tuple[str, ...]] = field(default_factory=dict)
    countries: dict[str, str] = field(default_factory=dict)
    version: int = 0


class Listen(NamedTuple):
    """A row of the lake's `listens`."""

    user_id: int
    track_id: str
    listened_at: str
    duration_ms: int
    genres: tuple[str, ...]
    user_country: str
    source_id: str
    execution: str
    reference_version: int

    @property
    def day(self) -> str:
        return self.listened_at[:10]


class Rejected(NamedTuple):
    """A row of the lake's `rejected_rows`."""

    raw: str
    reason: str
    source_id: str
    execution: str


def classify(content: bytes, source_id: str, execution: str, known: Reference) -> list[Listen | Rejected]:
    """Classify each row of a streams file: accepted, or rejected with a reason."""
    classified: list[Listen | Rejected] = []
    seen = set()
    for raw in content.decode().split("\n")[1:]:
        user, track, time = raw.split(",")
        reason = None
        if not re.fullmatch("[0-9]+", user):
            reason = "bad_user_id"
        elif raw in seen:
            reason = "duplicate"
        elif track not in known.genres:
            reason = "unknown_track"
        if reason != "bad_user_id":
            seen.add(raw)
        if reason:
            classified.append(Rejected(raw, reason, source_id, execution))
        else:
            country = known.countries.get(user, "unknown")
            genres = known.genres[track]
            listen = Listen(int(user), track, time, 1_000, genres, country, source_id, execution, known.version)
            classified.append(listen)
    return classified


def rejected_counts(rows: Iterable[Listen | Rejected]) -> dict[str, int]:
    """Count the rejected rows by reason."""
    return dict(Counter(row.reason for row in rows if isinstance(row, Rejected)))


def fold(listens: Iterable[Listen], *, track_metrics: bool) -> dict[Key, dict[str, Any]]:
    """Compute the items of MetricsTable for the distinct events of some listens: by key, the day and the measures."""
    by_event: dict[tuple[int, str, str], Listen] = {}
    for listen in sorted(listens, key=lambda row: (-row.reference_version, row.source_id)):
        by_event.setdefault((listen.user_id, listen.track_id, listen.listened_at), listen)
    groups: dict[Key, list[Listen]] = {}
    for event in by_event.values():
        by_day = [f"GENRE#{genre}" for genre in event.genres] + [f"COUNTRY#{event.user_country}"]
        by_day += [f"TRACK#{event.track_id}"] if track_metrics else []
        for key in [*((pk, f"DAY#{event.day}") for pk in by_day), (f"DAY#{event.day}", "SUMMARY")]:
            groups.setdefault(key, []).append(event)
    return {key: _measures(events) for key, events in groups.items()}


def _measures(events: list[Listen]) -> dict[str, Any]:
    listeners = len({event.user_id for event in events})
    total = sum(event.duration_ms for event in events)
    return {
        "day": events[0].day,
        "listen_count": len(events),
        "unique_listeners": listeners,
        "total_listening_time_ms": total,
        "avg_hundredths_ms": (200 * total + listeners) // (2 * listeners),
    }
