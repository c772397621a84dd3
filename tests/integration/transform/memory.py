"""What a run of the transform asks of Spark and of the lake, in plain Python: see music_streams.transform.ports."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet

from music_streams.aws.clients import split_uri
from music_streams.errors import LakeChanged
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, FoundRows, Leaving, Pinned


class Listen(NamedTuple):
    """A row of `listens`, as far as runs are told apart by it; the event is user, track and day."""

    source_id: str
    execution: str
    user: int
    track: str
    day: str

    @property
    def event(self) -> tuple[int, str, str]:
        return self.user, self.track, self.day


class Rejected(NamedTuple):
    """A row of `rejected_rows`."""

    source_id: str
    execution: str
    raw: str
    reason: str


Row = Listen | Rejected


@dataclass
class MemoryBatch:
    """The rows of some files: of each what it brings, or None where it cannot be read."""

    execution: str
    files: dict[str, Iterable[tuple[int, str, str] | tuple[str, str]] | None]
    songs: bool = True
    is_closed: bool = False

    def counts(self) -> list[dict[str, Any]]:
        counter = Counter(
            (row.source_id, None, row.day) if isinstance(row, Listen) else (row.source_id, row.reason, None)
            for row in self._rows(list(self.files))
        )
        names = ("source_id", "reason", "day")
        return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counter.items()]

    def unreadable(self) -> set[str]:
        return {source_id for source_id, rows in self.files.items() if rows is None}

    def has_reference(self) -> bool:
        return self.songs

    def accepted(self, source_ids: list[str]) -> list[Row]:
        return [row for row in self._rows(source_ids) if isinstance(row, Listen)]

    def rejected(self, source_ids: list[str]) -> list[Row]:
        return [row for row in self._rows(source_ids) if isinstance(row, Rejected)]

    def close(self) -> None:
        self.is_closed = True

    def _rows(self, source_ids: list[str]) -> list[Row]:
        rows: list[Row] = []
        for source_id in source_ids:
            for row in self.files.get(source_id) or ():
                if len(row) == 3:
                    rows.append(Listen(source_id, self.execution, *row))
                else:
                    rows.append(Rejected(source_id, self.execution, *row))
        return rows


@dataclass
class MemoryTables:
    """The tables that all runs share."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {LISTENS: [], REJECTED_ROWS: []})
    commits: dict[str, set[str]] = field(default_factory=lambda: {LISTENS: set(), REJECTED_ROWS: set()})
    of_few_days: dict[str, bool] = field(default_factory=dict)
    """What the last append to each table was told of its rows."""
    snapshots: list[list[Row]] = field(default_factory=list)
    """The listens of each snapshot; the version is how many there are. One that has expired is empty."""
    uuid: str = "uuid"

    def commit(self, table: str, rows: list[Row]) -> None:
        """Make these the rows of a table."""
        self.rows[table] = rows
        if table == LISTENS:
            self.snapshots.append(rows)


class MemoryLake:
    """The lake as one run holds it.

    Args:
        s3: a client of the bucket that metrics and notes are kept in.
        tables: shared with other runs.
        step: called before and after each change, with its name; may raise.
    """

    def __init__(self, s3: Any, tables: MemoryTables, step: Callable[[str], None] = lambda _: None) -> None:
        self._s3 = s3
        self._tables = tables
        self._step = step

    def append(self, table: str, rows: list[Row], execution: str, *, few_days: bool) -> None:
        if execution in self._tables.commits[table]:
            return
        self._step(f"before append to {table}")
        self._tables.commits[table].add(execution)
        self._tables.of_few_days[table] = few_days
        self._tables.commit(table, [*self._tables.rows[table], *rows])
        self._step(f"after append to {table}")

    def find(self, leaving: Leaving) -> FoundRows:
        found = FoundRows()
        for rows in self._tables.rows.values():
            for row in filter(_is(leaving), rows):
                found.executions.add(row.execution)
                found.days.setdefault(row.source_id, set()).update({row.day} if isinstance(row, Listen) else ())
        return found

    def write_tracks(self, leaving: Leaving, found: FoundRows, uri: str) -> None:
        leaves = _is(leaving)
        rows = [row for row in self._tables.rows[LISTENS] if leaves(row) and row.execution in found.executions]
        pairs = sorted({(row.track, row.day) for row in rows if isinstance(row, Listen)})
        self._put(f"{uri}/tracks.json", json.dumps(pairs).encode())

    def delete(self, leaving: Leaving, found: FoundRows) -> None:
        leaves = _is(leaving)
        for table in (REJECTED_ROWS, LISTENS):
            self._step(f"before {table} are deleted")
            rows = self._tables.rows[table]
            kept = [row for row in rows if not (leaves(row) and row.execution in found.executions)]
            if kept != rows:
                self._tables.commit(table, kept)
            self._step(f"after {table} were deleted")

    def expire(self) -> None:
        self._step("before expire")
        self._tables.snapshots[:-1] = [[] for _ in self._tables.snapshots[:-1]]
        self._step("after expire")

    def pin(self) -> Pinned:
        version = len(self._tables.snapshots)
        if not version:
            raise LakeChanged("the lake table has no snapshot")
        return Pinned(version, version, self._tables.uuid)

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        self._step("before metrics")
        listens = self._tables.snapshots[pinned.snapshot_id - 1]
        events = {row.event for row in listens if isinstance(row, Listen) and row.day in days}
        rows = [_item(day, pk, list(group)) for day, pk, group in _groups(events, with_tracks=tracks is not None)]
        removed = {tuple(pair) for each in tracks or () for pair in json.loads(self._get(f"{each}/tracks.json"))}
        left = {(track, day) for _, track, day in events}
        rows += [_lost(track, day) for track, day in removed - left if day in days]
        body = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(sorted(rows, key=lambda row: row["day"]), _SCHEMA), body)
        self._put(f"{uri}/part-0.parquet", body.getvalue())
        self._step("after metrics")

    def _put(self, uri: str, body: bytes) -> None:
        bucket, key = split_uri(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def _get(self, uri: str) -> bytes:
        bucket, key = split_uri(uri)
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


def _is(leaving: Leaving) -> Callable[[Row], bool]:
    def leaves(row: Row) -> bool:
        is_older = row.source_id in leaving.older and row.execution != leaving.execution
        users = {row.user} if isinstance(row, Listen) else {int(part) for part in row.raw.split(",") if part.isdigit()}
        return is_older or row.source_id in leaving.refused or not users.isdisjoint(leaving.users)

    return leaves


_SONG = pa.struct([("rank", pa.int64())])
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("pk", "sk", "day")),
        *((name, pa.int64()) for name in ("listen_count", "unique_listeners")),
        *((name, pa.int64()) for name in ("total_listening_time_ms", "avg_hundredths_ms")),
        *((name, pa.list_(_SONG)) for name in ("top_songs", "top_genres")),
    ]
)


def _groups(events: set[tuple[int, str, str]], *, with_tracks: bool) -> list[tuple[str, str, Any]]:
    """Day, pk and events of each item: a summary for the day, an item for its users and, where wanted, each track."""
    keyed = [(day, f"DAY#{day}", event) for event in events for day in event[2:]]
    keyed += [(event[2], f"COUNTRY#{event[0]}", event) for event in events]
    keyed += [(event[2], f"TRACK#{event[1]}", event) for event in events if with_tracks]
    keyed.sort()
    return [(*key, [event for *_, event in group]) for key, group in groupby(keyed, key=lambda each: each[:2])]


def _item(day: str, pk: str, events: list[tuple[int, str, str]]) -> dict[str, Any]:
    return {
        "pk": pk,
        "sk": "SUMMARY" if pk == f"DAY#{day}" else f"DAY#{day}",
        "day": day,
        "listen_count": len(events),
        "unique_listeners": len({user for user, _, _ in events}),
        "total_listening_time_ms": len(events),
        "avg_hundredths_ms": 100,
    }


def _lost(track: str, day: str) -> dict[str, Any]:
    return {"pk": f"TRACK#{track}", "sk": f"DAY#{day}", "day": day}
