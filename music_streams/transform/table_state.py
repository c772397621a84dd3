"""An Iceberg table at one moment, as its metadata file says: one small file, read at once and consistently.

It holds the current snapshot, its sequence number and every snapshot's properties (Iceberg table spec, Table Metadata:
https://iceberg.apache.org/spec/#table-metadata-fields).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from music_streams.errors import LakeChanged


@dataclass(frozen=True)
class TableState:
    """A table at one moment, from its metadata file."""

    metadata: dict[str, Any]

    @property
    def uuid(self) -> str:
        """The table's UUID: another one is another table, whose versions do not compare."""
        return str(self.metadata["table-uuid"])

    @property
    def has_snapshot(self) -> bool:
        """Whether anything was ever committed."""
        return self.metadata.get("current-snapshot-id") not in {None, -1}

    @property
    def snapshot_id(self) -> int:
        """The current snapshot.

        Raises:
            LakeChanged: the table has none.
        """
        if not self.has_snapshot:
            raise LakeChanged("the lake table has no snapshot: nothing was ever committed; rebuild it from the archive")
        return int(self.metadata["current-snapshot-id"])

    @property
    def version(self) -> int:
        """The sequence number of the current snapshot."""
        return int(self._current["sequence-number"])

    @property
    def moment(self) -> int:
        """When the current snapshot was committed, in epoch milliseconds."""
        return int(self._current["timestamp-ms"])

    def lists_all_since(self, moment: datetime) -> bool:
        """Whether every snapshot that was committed since then is listed: the oldest expire first."""
        listed = {snapshot["snapshot-id"] for snapshot in self._snapshots}
        is_whole = all(snapshot.get("parent-snapshot-id", -1) in {*listed, -1, None} for snapshot in self._snapshots)
        return is_whole or self.last_moment_before(moment) is not None

    def last_moment_before(self, moment: datetime) -> datetime | None:
        """When the snapshot was committed that was the current one at a moment; None where that is not listed."""
        moments = [datetime.fromtimestamp(int(each["timestamp-ms"]) / 1000, UTC) for each in self._snapshots]
        return max((each for each in moments if each <= moment), default=None)

    @property
    def snapshots(self) -> int:
        """How many are listed."""
        return len(self._snapshots)

    def total(self, name: str) -> int:
        """A total of the current snapshot's summary, as `data-files`; 0 where there is no snapshot."""
        return int(self._current["summary"].get(f"total-{name}", 0)) if self.has_snapshot else 0

    def has_commit_of(self, execution: str) -> bool:
        """Whether a listed snapshot is the append of an execution."""
        return any(snapshot["summary"].get("execution") == execution for snapshot in self._snapshots)

    @property
    def _current(self) -> dict[str, Any]:
        return next(each for each in self._snapshots if each["snapshot-id"] == self.snapshot_id)

    @property
    def _snapshots(self) -> list[dict[str, Any]]:
        snapshots: list[dict[str, Any]] = self.metadata.get("snapshots", [])
        return snapshots
