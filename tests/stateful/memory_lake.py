"""The lake's tables in memory: rows, commits and snapshots, and a run's rows, as transform.ports defines them."""

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from music_streams.aws.clients import split_uri
from music_streams.errors import LakeChanged
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, FoundRows, Pinned, RowsToDelete
from tests.stateful.files import Listen, Reference, Rejected, classify, fold

Rows = list[Any]  # of Listen, or of Rejected
_COUNTS = ("listen_count", "unique_listeners", "total_listening_time_ms", "avg_hundredths_ms")
_METRICS = pa.schema(
    [(name, pa.string()) for name in ("pk", "sk", "day")]
    + [(name, pa.int64()) for name in _COUNTS]
    + [(name, pa.string()) for name in ("top_songs", "top_genres")]
)


@dataclass
class Table:
    """An Iceberg table.

    Attributes:
        snapshots: the rows of each, by sequence number.
        of_few_days: the argument `few_days` of the last append.
    """

    snapshots: dict[int, Rows] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)
    of_few_days: bool = False

    @property
    def version(self) -> int:
        return max(self.snapshots, default=0)

    @property
    def rows(self) -> Rows:
        return self.snapshots.get(self.version, [])

    def commit(self, rows: Rows) -> None:
        self.snapshots[self.version + 1] = rows


class Tables:
    """The tables of the lake; each method is one atomic call."""

    def __init__(self) -> None:
        self.uuid = "lake"
        self.tables = {LISTENS: Table(), REJECTED_ROWS: Table()}
        self.commit_versions: dict[str, int] = {}
        """By execution, the version of listens that it committed."""
        self._tokens: set[object] = set()

    def has_commit(self, table: str, execution: str) -> bool:
        return execution in self.tables[table].commits

    def append(self, table: str, rows: Rows, execution: str, token: object, *, few_days: bool = False) -> None:
        """Commit rows; the token makes a retry after a lost response idempotent."""
        if token in self._tokens:
            return
        self._tokens.add(token)
        held = self.tables[table]
        held.commit(held.rows + rows)
        held.commits.add(execution)
        held.of_few_days = few_days
        if table == LISTENS:
            self.commit_versions.setdefault(execution, held.version)

    def find(self, table: str, to_delete: RowsToDelete) -> Rows:
        return [row for row in self.tables[table].rows if _is_deleted(row, to_delete)]

    def delete(self, table: str, to_delete: RowsToDelete, found: FoundRows) -> None:
        held = self.tables[table]
        kept = [row for row in held.rows if not (_is_deleted(row, to_delete) and row.execution in found.executions)]
        if len(kept) < len(held.rows):
            held.commit(kept)

    def expire(self) -> None:
        for table in self.tables.values():
            table.snapshots = {table.version: table.rows} if table.snapshots else {}

    def pin(self) -> Pinned:
        listens = self.tables[LISTENS]
        if not listens.snapshots:
            raise LakeChanged("the lake table has no snapshot")
        return Pinned(listens.version, listens.version, self.uuid)

    def read(self, snapshot_id: int, days: list[str]) -> Rows:
        return [row for row in self.tables[LISTENS].snapshots[snapshot_id] if row.day in days]


@dataclass(frozen=True)
class MemoryLake:
    """The lake as one run uses it.

    Attributes:
        tables: a client of Tables.
        s3: a client, for the objects that Spark writes into the run's folder.
    """

    tables: Any
    s3: Any

    def append(self, table: str, rows: Rows, execution: str, *, few_days: bool) -> None:
        if not self.tables.has_commit(table, execution):
            self.tables.append(table, rows, execution, object(), few_days=few_days)

    def find(self, to_delete: RowsToDelete) -> FoundRows:
        listens, rejected = self.tables.find(LISTENS, to_delete), self.tables.find(REJECTED_ROWS, to_delete)
        days: dict[str, set[str]] = {row.source_id: set() for row in rejected}
        for row in listens:
            days.setdefault(row.source_id, set()).add(row.day)
        return FoundRows(days, {row.execution for row in [*listens, *rejected]})

    def write_tracks(self, to_delete: RowsToDelete, found: FoundRows, uri: str) -> None:
        selected = [row for row in self.tables.find(LISTENS, to_delete) if row.execution in found.executions]
        self._write(f"{uri}/tracks.json", json.dumps(sorted({(row.track_id, row.day) for row in selected})).encode())

    def delete(self, to_delete: RowsToDelete, found: FoundRows) -> None:
        for table in (REJECTED_ROWS, LISTENS):
            self.tables.delete(table, to_delete, found)

    def expire(self) -> None:
        self.tables.expire()

    def pin(self) -> Pinned:
        pinned: Pinned = self.tables.pin()
        return pinned

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        items = fold(self.tables.read(pinned.snapshot_id, days), track_metrics=tracks is not None)
        empty = dict.fromkeys((*_COUNTS, "top_songs", "top_genres"))
        rows = [{"pk": pk, "sk": sk, **empty, **measures} for (pk, sk), measures in items.items()]
        for track_id, day in self._removed(tracks or []):
            pk, sk = f"TRACK#{track_id}", f"DAY#{day}"
            if day in days and (pk, sk) not in items:
                rows.append({"pk": pk, "sk": sk, "day": day, **empty})
        rows.sort(key=lambda row: row["day"])
        body = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows, _METRICS), body)
        self._write(f"{uri}/part-0.parquet", body.getvalue())

    def _removed(self, uris: list[str]) -> set[tuple[str, str]]:
        pairs = set()
        for uri in uris:
            bucket, key = split_uri(uri)
            body = self.s3.get_object(Bucket=bucket, Key=f"{key}/tracks.json")["Body"].read()
            pairs |= {(track_id, day) for track_id, day in json.loads(body)}
        return pairs

    def _write(self, uri: str, body: bytes) -> None:
        bucket, key = split_uri(uri)
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)


@dataclass
class MemoryBatch:
    """The classified rows of a run's staged files.

    Attributes:
        broken: the sources whose files cannot be read.
    """

    classified: Rows
    broken: set[str] = field(default_factory=set)
    is_closed: bool = False

    @classmethod
    def read(cls, contents: dict[str, bytes], execution: str, reference: Reference) -> "MemoryBatch":
        """Classify the rows of `contents`, the staged files by source_id."""
        files = [classify(content, source_id, execution, reference) for source_id, content in contents.items()]
        return cls([row for rows in files for row in rows])

    def counts(self) -> list[dict[str, Any]]:
        counter = Counter(
            (row.source_id, row.reason, None) if isinstance(row, Rejected) else (row.source_id, None, row.day)
            for row in self.classified
        )
        names = ("source_id", "reason", "day")
        return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counter.items()]

    def unparsable(self) -> set[str]:
        return self.broken

    def close(self) -> None:
        self.is_closed = True

    def accepted(self, source_ids: list[str]) -> Rows:
        return [row for row in self.classified if isinstance(row, Listen) and row.source_id in source_ids]

    def rejected(self, source_ids: list[str]) -> Rows:
        return [row for row in self.classified if isinstance(row, Rejected) and row.source_id in source_ids]


def _is_deleted(row: Listen | Rejected, to_delete: RowsToDelete) -> bool:
    is_older = row.source_id in to_delete.older and row.execution != to_delete.execution
    users = {row.user_id} if isinstance(row, Listen) else {int(part) for part in row.raw.split(",") if part.isdigit()}
    return is_older or row.source_id in to_delete.quarantined or not users.isdisjoint(to_delete.users)
