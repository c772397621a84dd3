"""Notes of the rows that a run removes from the lake, written before it does: the days and tracks to recompute.

Once rows are deleted, nothing else records which days they belonged to: the lake's snapshots expire. A retry of the
run, and the next attempt after a failed one, therefore read the notes.
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
    "(music-streams rebuild --from-archive), and repeat the requests that were in flight"
)


@dataclass
class Removed:
    """The rows that executions have removed, or are about to.

    Attributes:
        days: by source_id, the days of its removed listens.
        tracks: URIs of Parquet folders with track_id and day of the removed rows.
    """

    days: dict[str, set[str]] = field(default_factory=dict)
    tracks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Removals:
    """The notes of all executions, stored in the folders of their runs."""

    s3: S3Client
    bucket: str

    def tracks_uri(self, execution: str, name: str) -> str:
        """Return the URI for the tracks of the note with this name."""
        return self._folder(execution).uri(f"removed/{execution}/tracks/{name}")

    def note(self, execution: str, name: str, days: dict[str, set[str]], tracks: str | None) -> None:
        """Write what is about to be removed; `name` distinguishes this note from the execution's others."""
        listed = {source_id: sorted(of_source) for source_id, of_source in days.items()}
        self._put(execution, name, {"days": listed, "tracks": tracks})

    def follow(self, execution: str, failed: str) -> None:
        """Write that an execution is a new attempt at sources of a failed one, whose removals it must recompute."""
        self._put(execution, f"after-{failed}", {"failed": failed})

    def of(self, execution: str) -> Removed:
        """Return what an execution, and those that it follows, have noted.

        Raises:
            DamagedObject: a note cannot be read; nothing else records its days.
        """
        removed = Removed()
        executions = [execution]
        for followed in executions:
            for note in self._notes(followed):
                if "failed" in note:
                    executions += {note["failed"]}.difference(executions)
                    continue
                for source_id, days in note["days"].items():
                    removed.days.setdefault(source_id, set()).update(days)
                if note["tracks"]:
                    removed.tracks.append(note["tracks"])
        return removed

    def _notes(self, execution: str) -> Iterator[dict[str, Any]]:
        folder = self._folder(execution)
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=folder.key(f"removed/{execution}/notes/")
        )
        for page in pages:
            for listed in page.get("Contents", []):
                yield read_json(self.s3, self.bucket, listed["Key"], _note, _WHAT_TO_DO)

    def _put(self, execution: str, name: str, note: dict[str, Any]) -> None:
        key = self._folder(execution).key(f"removed/{execution}/notes/{name}.json")
        write_json(self.s3, self.bucket, key, note, is_ascii=True)

    def _folder(self, execution: str) -> RunFolder:
        return RunFolder(self.bucket, execution.rpartition("-")[0])


def _note(raw: dict[str, Any]) -> dict[str, Any]:
    """Check a note, which has one of two forms."""
    if "failed" in raw:
        return {"failed": _text(raw["failed"])}
    days = {source_id: [strict.day(day) for day in of_source] for source_id, of_source in raw["days"].items()}
    return {"days": days, "tracks": None if raw["tracks"] is None else _text(raw["tracks"])}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
