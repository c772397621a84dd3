"""Notes of what a run removes from the lake, written before it does: the days and tracks to be computed anew.

Once rows are deleted nothing else tells which days they belonged to: neither the lake nor its snapshots, which expire.
So whoever comes later reads it here: a repeat of the run, and the next attempt after one that failed.
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
    "nothing else tells which days its rows were of: delete it, then rebuild the lake from the archive "
    "(music-streams rebuild --from-archive), and ask again for what was under way"
)


@dataclass
class Removed:
    """What executions have removed, or are about to.

    Attributes:
        days: by source_id, the days of its listens among the rows.
        tracks: URIs of Parquet folders with the rows' track_id and day.
    """

    days: dict[str, set[str]] = field(default_factory=dict)
    tracks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Removals:
    """The notes of all executions, each execution's in its run's folder."""

    s3: S3Client
    bucket: str

    def tracks_uri(self, execution: str, name: str) -> str:
        """Where the tracks belong that a note of this name tells of."""
        return self._folder(execution).uri(f"removed/{execution}/tracks/{name}")

    def note(self, execution: str, name: str, days: dict[str, set[str]], tracks: str | None) -> None:
        """Note what is about to be removed; `name` tells this note from the execution's others."""
        listed = {source_id: sorted(of_source) for source_id, of_source in days.items()}
        self._put(execution, name, {"days": listed, "tracks": tracks})

    def follow(self, execution: str, failed: str) -> None:
        """Note that an execution is another attempt at sources of one that failed: what that removed is its affair."""
        self._put(execution, f"after-{failed}", {"failed": failed})

    def of(self, execution: str) -> Removed:
        """What an execution has noted, and those that it follows.

        Raises:
            DamagedObject: a note cannot be read: what it tells of, nothing else does.
        """
        removed = Removed()
        executions = [execution]
        for each in executions:
            for note in self._notes(each):
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
            for found in page.get("Contents", []):
                yield read_json(self.s3, self.bucket, found["Key"], _note, _WHAT_TO_DO)

    def _put(self, execution: str, name: str, note: dict[str, Any]) -> None:
        key = self._folder(execution).key(f"removed/{execution}/notes/{name}.json")
        write_json(self.s3, self.bucket, key, note, is_ascii=True)

    def _folder(self, execution: str) -> RunFolder:
        return RunFolder(self.bucket, execution.rpartition("-")[0])


def _note(raw: dict[str, Any]) -> dict[str, Any]:
    """A note, of one of its two forms."""
    if "failed" in raw:
        return {"failed": _text(raw["failed"])}
    days = {source_id: [strict.day(day) for day in of_source] for source_id, of_source in raw["days"].items()}
    return {"days": days, "tracks": None if raw["tracks"] is None else _text(raw["tracks"])}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
