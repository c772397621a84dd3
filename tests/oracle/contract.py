"""Runs the two SQL scripts over raw files and returns their results as plain Python values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tests.oracle import raw

Key = tuple[str, str]
Item = dict[str, Any]

_HERE = Path(__file__).parent
_FILES = pa.schema(
    {
        "kind": pa.string(),
        "file": pa.int64(),
        "reference": pa.int64(),
        "source_id": pa.string(),
        "arrived_at": pa.timestamp("us"),
        "header": pa.list_(pa.string()),
        "records": pa.list_(pa.list_(pa.string())),
    }
)


@dataclass(frozen=True)
class StreamFile:
    source_id: str
    content: bytes | Path
    arrived_at: datetime
    """With a time zone."""


@dataclass(frozen=True)
class Reference:
    """The files under reference/ at an instant."""

    songs: Sequence[bytes | Path]
    users: Sequence[bytes | Path]
    version: int


@dataclass(frozen=True)
class Batch:
    """Files that were enriched with the same reference data."""

    streams: Sequence[StreamFile]
    reference: Reference


@dataclass(frozen=True)
class Source:
    """The expected ledger entry of a source; reasons that do not occur are left out."""

    verdict: str | None
    rows_read: int = 0
    rows_accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    days: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    items: dict[Key, Item]
    """(pk, sk) -> all attributes that depend only on the data: not keys, version, batch_id, updated_at, lake_uuid."""
    sources: dict[str, Source]
    """By source_id."""


class NoReferenceDataError(Exception):
    """There are rows, and no usable songs row: the run fails with no_reference_data."""


def evaluate(
    batches: Sequence[Batch], *, max_rejected_ratio: str = "0.20", publish_track_metrics: bool = False
) -> Outcome:
    """Return the expected contents of MetricsTable and of the ledger after all batches.

    For a source of several batches (redrive, replay, backfill) the last of them counts.
    """
    kinds = {"GENRE", "COUNTRY", "DAY"} | ({"TRACK"} if publish_track_metrics else set())
    with duckdb.connect() as database:
        quarantined = _load(database, batches, max_rejected_ratio)
        database.execute((_HERE / "listens.sql").read_text())
        have_rows = "SELECT reference FROM records WHERE kind = 'streams' EXCEPT SELECT reference FROM songs"
        if database.sql(have_rows).fetchall():
            raise NoReferenceDataError("no_reference_data: a batch with rows has no usable songs row")
        database.execute((_HERE / "metrics.sql").read_text())
        return Outcome(items=dict(_items(database, kinds)), sources=quarantined | dict(_sources(database)))


def count_reference(kind: str, content: bytes, *, max_rejected_ratio: str = "0.20") -> Source:
    """Return the expected ledger entry of a songs or users file. Raises raw.FileQuarantinedError with a verdict."""
    songs, users = ([content], []) if kind == "songs" else ([], [content])
    with duckdb.connect() as database:
        _load(database, [Batch([], Reference(songs, users, 1))], max_rejected_ratio)
        database.execute((_HERE / "listens.sql").read_text())
        counts = dict(database.sql("SELECT reason, count(*) FROM reference_rows GROUP BY reason").fetchall())
        [(usable,)] = database.sql("SELECT count(*) FROM usable_rows").fetchall()
    accepted = counts.pop(None, 0)
    rows_read = accepted + sum(counts.values())
    malformed = sum(count for reason, count in counts.items() if reason != "missing_country")
    is_refused = malformed > Decimal(max_rejected_ratio) * rows_read
    assert usable == (0 if is_refused else accepted)
    return Source("too_many_bad_rows" if is_refused else None, rows_read, usable, counts)


def _load(database: duckdb.DuckDBPyConnection, batches: Sequence[Batch], max_rejected_ratio: str) -> dict[str, Source]:
    """Fill the input tables of listens.sql. Return the sources whose files are quarantined by content alone."""
    files: list[dict[str, object]] = []
    quarantined: dict[str, Source] = {}
    last_batch = {stream.source_id: n for n, batch in enumerate(batches) for stream in batch.streams}
    for n, batch in enumerate(batches):
        files += [_file("songs", n, raw.read_songs(_bytes(content))) for content in batch.reference.songs]
        files += [_file("users", n, raw.read_users(_bytes(content))) for content in batch.reference.users]
        for stream in batch.streams:
            if last_batch[stream.source_id] != n:
                continue
            try:
                table = raw.read_streams(_bytes(stream.content))
            except raw.FileQuarantinedError as error:
                quarantined[stream.source_id] = Source(verdict=str(error))
            else:
                arrived_at = stream.arrived_at.astimezone(UTC).replace(tzinfo=None)
                files.append(_file("streams", n, table) | {"source_id": stream.source_id, "arrived_at": arrived_at})

    versions = {"reference": range(len(batches)), "version": [batch.reference.version for batch in batches]}
    settings = {"max_rejected_ratio": [Decimal(max_rejected_ratio)]}
    numbered = [file | {"file": number} for number, file in enumerate(files)]
    database.register("loaded_files", pa.Table.from_pylist(numbered, _FILES))
    database.register("loaded_versions", pa.table(versions))
    database.register("loaded_settings", pa.table(settings))
    database.execute("CREATE TABLE files AS FROM loaded_files")
    database.execute("CREATE TABLE reference_data AS FROM loaded_versions")
    database.execute("CREATE TABLE settings AS FROM loaded_settings")
    return quarantined


def _file(kind: str, reference: int, table: raw.Table) -> dict[str, object]:
    return {"kind": kind, "reference": reference, "header": table.header, "records": table.records}


def _bytes(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _sources(database: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Source]]:
    reasons: dict[str, dict[str, int]] = {}
    for source_id, reason, rows in database.sql(
        "SELECT source_id, reason, count(*) FROM classified_rows WHERE reason IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        reasons.setdefault(source_id, {})[reason] = rows
    days: dict[str, list[str]] = {}
    for source_id, day in database.sql("SELECT DISTINCT source_id, day FROM listens ORDER BY ALL").fetchall():
        days.setdefault(source_id, []).append(day)
    for source_id, rows_read, has_too_many_bad_rows in database.sql("FROM sources ORDER BY source_id").fetchall():
        rejected = reasons.get(source_id, {})
        yield (
            source_id,
            Source(
                verdict="too_many_bad_rows" if has_too_many_bad_rows else None,
                rows_read=rows_read,
                rows_accepted=0 if has_too_many_bad_rows else rows_read - sum(rejected.values()),
                rejected=rejected,
                days=tuple(days.get(source_id, ())),
            ),
        )


def _items(database: duckdb.DuckDBPyConnection, kinds: set[str]) -> Iterator[tuple[Key, Item]]:
    tops: dict[Key, list[Item]] = {}
    for table in ("top_songs", "top_genres"):
        for entry in _rows(database, f"FROM {table} ORDER BY pk, sk, rank"):
            tops.setdefault((entry.pop("pk"), entry.pop("sk")), []).append(entry)
    for row in _rows(database, "FROM items ORDER BY pk, sk"):
        if row["kind"] not in kinds:
            continue
        key = (row["pk"], row["sk"])
        item: Item = {
            "track_day" if row["kind"] == "TRACK" else "day": row["day"],
            "listen_count": row["listen_count"],
            "unique_listeners": row["unique_listeners"],
            "total_listening_time_ms": row["total_listening_time_ms"],
            "avg_listening_time_per_user_ms": Decimal(row["avg_hundredths"]).scaleb(-2),
        }
        if row["kind"] in {"GENRE", "COUNTRY"}:
            item["top_songs"] = tops[key]
        if row["kind"] == "DAY":
            item["top_genres"] = tops[key]
        yield key, item


def _rows(database: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    relation = database.sql(query)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
