"""The contract's metrics over listens in lists, in plain loops; and rows of listens for tests."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

Row = dict[str, Any]
SCHEMA = pa.schema(
    {
        "user_id": pa.int64(),
        "track_id": pa.string(),
        "listened_at": pa.timestamp("us", "UTC"),
        "duration_ms": pa.int64(),
        "track_name": pa.string(),
        "artists": pa.string(),
        "genres": pa.list_(pa.string()),
        "user_country": pa.string(),
        "source_id": pa.string(),
        "execution": pa.string(),
        "reference_version": pa.int64(),
    }
)


def listen(at: str, user: int = 1, track: str = "T", **changes: Any) -> Row:
    """Return a row of the lake's `listens`; an instant without a time zone is in UTC."""
    instant = datetime.fromisoformat(at)
    return {
        "user_id": user,
        "track_id": track.ljust(22, "0"),
        "listened_at": instant if instant.tzinfo else instant.replace(tzinfo=UTC),
        "duration_ms": 100,
        "track_name": f"name of {track}",
        "artists": f"artists of {track}",
        "genres": ["pop"],
        "user_country": "DE",
        "source_id": "a" * 32,
        "execution": "b-1",
        "reference_version": 1,
        **changes,
    }


def batches(rows: list[Row], size: int = 3) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches, as the lake streams them."""
    for start in range(0, len(rows), size):
        yield pa.RecordBatch.from_pylist(rows[start:][:size], SCHEMA)


def items(rows: Iterable[Row], *, track_metrics: bool) -> list[Row]:
    """Return the expected items of MetricsTable, in the order of their keys."""
    rows = list(rows)
    events: dict[tuple[Any, ...], Row] = {}
    names: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=_precedence, reverse=True):  # The last one wins.
        events[row["user_id"], row["track_id"], row["listened_at"]] = row
        names[_day(row), row["track_id"]] = row
    counted: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for event in events.values():
        day = _day(event)
        keys = [*((f"GENRE#{genre}", f"DAY#{day}") for genre in event["genres"])]
        keys += [(f"COUNTRY#{event['user_country']}", f"DAY#{day}"), (f"DAY#{day}", "SUMMARY")]
        keys += [(f"TRACK#{event['track_id']}", f"DAY#{day}")] * track_metrics
        for key in keys:
            counted[(*key, day)].append(event)
    return sorted(
        (_item(pk, sk, day, group, names, counted) for (pk, sk, day), group in counted.items()),
        key=lambda item: (item["pk"], item["sk"]),
    )


def _item(
    pk: str, sk: str, day: str, events: list[Row], names: dict[tuple[str, str], Row], counted: dict[Any, list[Row]]
) -> Row:
    kind = pk.partition("#")[0]
    total = Fraction(sum(event["duration_ms"] for event in events), len({event["user_id"] for event in events}))
    average = (Decimal(total.numerator) / total.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP)
    item: Row = {
        "pk": pk,
        "sk": sk,
        "track_day" if kind == "TRACK" else "day": day,
        **_measures(events),
        "avg_listening_time_per_user_ms": average,
    }
    if kind in {"GENRE", "COUNTRY"}:
        by_track: dict[str, list[Row]] = defaultdict(list)
        for event in events:
            by_track[event["track_id"]].append(event)
        named = {track: {name: names[day, track][name] for name in ("track_name", "artists")} for track in by_track}
        songs = [{"track_id": track, **named[track], **_measures(group)} for track, group in by_track.items()]
        item["top_songs"] = _ranked(songs, "track_id", 3)
    if kind == "DAY":
        of_day = [(pk, group) for (pk, _, on), group in counted.items() if on == day and pk.startswith("GENRE#")]
        genres = [{"genre": pk.removeprefix("GENRE#"), **_measures(group)} for pk, group in of_day]
        item["top_genres"] = _ranked(genres, "genre", 5)
    return item


def _ranked(entries: list[Row], name: str, size: int) -> list[Row]:
    entries.sort(key=lambda entry: (-entry["listen_count"], -entry["unique_listeners"], entry[name]))
    return [{"rank": rank, **entry} for rank, entry in enumerate(entries[:size], 1)]


def _measures(events: list[Row]) -> Row:
    return {
        "listen_count": len(events),
        "unique_listeners": len({event["user_id"] for event in events}),
        "total_listening_time_ms": sum(event["duration_ms"] for event in events),
    }


def _precedence(row: Row) -> tuple[Any, ...]:
    return -row["reference_version"], row["source_id"]


def _day(row: Row) -> str:
    instant: datetime = row["listened_at"]
    return instant.astimezone(UTC).date().isoformat()
