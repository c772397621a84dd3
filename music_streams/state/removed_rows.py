"""Records of the rows that a run removes from the lake, written before it does: the days and tracks to recompute.

Once rows are deleted, nothing else records which days they belonged to: the lake's snapshots expire. A retry of the
run, and the next attempt after a failed one, therefore read these records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from music_streams import strict
from music_streams.aws.json_objects import read_json, write_json
from music_streams.state.run_files import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client

_WHAT_TO_DO = (
    "nothing else records the days of the removed rows: delete it, then rebuild the lake from the archive "
    "(music-streams rebuild --from-archive), and send the requests that were in flight again"
)


@dataclass
class RemovedRows:
    """The rows that executions have removed, or are about to.

    Attributes:
        days: by source_id, the days of its removed listens.
        tracks: URIs of Parquet folders with track_id and day of the removed rows.
    """

    days: dict[str, set[str]] = field(default_factory=dict)
    tracks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RemovalRecords:
    """Reads and writes the records, which are stored in the folders of the runs."""

    s3: S3Client
    bucket: str

    def tracks_uri(self, execution: str, name: str) -> str:
        """Return the URI for the tracks of the record with this name."""
        return self._folder(execution).uri(f"removed/{execution}/tracks/{name}")

    def write(self, execution: str, name: str, days: dict[str, set[str]], tracks: str | None) -> None:
        """Record what is about to be removed; `name` distinguishes this record from the execution's others."""
        by_source = {source_id: sorted(source_days) for source_id, source_days in days.items()}
        self._put(execution, name, {"days": by_source, "tracks": tracks})

    def write_failed_attempt(self, execution: str, failed: str) -> None:
        """Record that an execution is a new attempt at sources of a failed one, whose removals it must recompute."""
        self._put(execution, f"after-{failed}", {"failed": failed})

    def read(self, execution: str) -> RemovedRows:
        """Return what an execution, and the failed ones before it, have recorded.

        Raises:
            DamagedObject: a record cannot be read; nothing else records its days.
        """
        removed = RemovedRows()
        executions = [execution]
        for followed in executions:
            for record in self._records(followed):
                if "failed" in record:
                    executions += {record["failed"]}.difference(executions)
                    continue
                for source_id, days in record["days"].items():
                    removed.days.setdefault(source_id, set()).update(days)
                if record["tracks"]:
                    removed.tracks.append(record["tracks"])
        return removed

    def _records(self, execution: str) -> Iterator[dict[str, Any]]:
        folder = self._folder(execution)
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=folder.key(f"removed/{execution}/notes/")
        )
        for page in pages:
            for listed in page.get("Contents", []):
                yield read_json(self.s3, self.bucket, listed["Key"], _record, _WHAT_TO_DO)

    def _put(self, execution: str, name: str, record: dict[str, Any]) -> None:
        key = self._folder(execution).key(f"removed/{execution}/notes/{name}.json")
        write_json(self.s3, self.bucket, key, record, is_ascii=True)

    def _folder(self, execution: str) -> RunFolder:
        return RunFolder(self.bucket, execution.rpartition("-")[0])


def _record(raw: dict[str, Any]) -> dict[str, Any]:
    """Check a record, which has one of two forms."""
    if "failed" in raw:
        return {"failed": _text(raw["failed"])}
    days = {source_id: [strict.day(day) for day in source_days] for source_id, source_days in raw["days"].items()}
    return {"days": days, "tracks": None if raw["tracks"] is None else _text(raw["tracks"])}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
