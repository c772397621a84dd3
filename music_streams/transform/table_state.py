"""The state of an Iceberg table, read from its metadata file: one small object, so the read is consistent.

It has the current snapshot, its sequence number and every snapshot's properties (Iceberg table spec, Table Metadata:
https://iceberg.apache.org/spec/#table-metadata-fields).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from music_streams.errors import LakeChanged


@dataclass(frozen=True)
class TableState:
    """The state of a table, from its metadata file."""

    metadata: dict[str, Any]

    @property
    def uuid(self) -> str:
        """The table's UUID. Versions of tables with different UUIDs cannot be compared."""
        return str(self.metadata["table-uuid"])

    @property
    def has_snapshot(self) -> bool:
        """Whether the table has a commit."""
        return self.metadata.get("current-snapshot-id") not in {None, -1}

    @property
    def snapshot_id(self) -> int:
        """The id of the current snapshot.

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
    def committed_at_ms(self) -> int:
        """When the current snapshot was committed, in epoch milliseconds."""
        return int(self._current["timestamp-ms"])

    def lists_all_since(self, instant: datetime) -> bool:
        """Return whether every snapshot committed since an instant is listed. The oldest expire first."""
        listed = {snapshot["snapshot-id"] for snapshot in self._snapshots}
        is_complete = all(snapshot.get("parent-snapshot-id", -1) in {*listed, -1, None} for snapshot in self._snapshots)
        return is_complete or self.last_commit_before(instant) is not None

    def last_commit_before(self, instant: datetime) -> datetime | None:
        """Return the commit time of the snapshot that was current at an instant; None if it is not listed."""
        commits = [datetime.fromtimestamp(int(snapshot["timestamp-ms"]) / 1000, UTC) for snapshot in self._snapshots]
        return max((commit for commit in commits if commit <= instant), default=None)

    @property
    def snapshots(self) -> int:
        """The number of listed snapshots."""
        return len(self._snapshots)

    def total(self, name: str) -> int:
        """Return a total of the current snapshot's summary, such as `data-files`; 0 without a snapshot."""
        return int(self._current["summary"].get(f"total-{name}", 0)) if self.has_snapshot else 0

    def has_commit_of(self, execution: str) -> bool:
        """Return whether a listed snapshot is the append of an execution."""
        return any(snapshot["summary"].get("execution") == execution for snapshot in self._snapshots)

    @property
    def _current(self) -> dict[str, Any]:
        return next(snapshot for snapshot in self._snapshots if snapshot["snapshot-id"] == self.snapshot_id)

    @property
    def _snapshots(self) -> list[dict[str, Any]]:
        snapshots: list[dict[str, Any]] = self.metadata.get("snapshots", [])
        return snapshots
