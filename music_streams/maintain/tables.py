"""The maintenance of one table. If a job run crashes after any step, the next run repeats the steps.

The steps that rewrite data commit new snapshots; the others delete only snapshots and orphan files older than
SNAPSHOT_RETENTION. So maintenance blocks neither readers nor writers: readers use their snapshot, and of two writers
that replace the same file the first to commit wins. If maintenance wins, the transform retries its statement; if the
transform wins, maintenance leaves the file to its next run.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError

from music_streams import policy
from music_streams.maintain.report import Size, TableReport
from music_streams.transform.ports import REJECTED_ROWS
from music_streams.transform.spark.lake import is_conflict, timestamp

if TYPE_CHECKING:
    from music_streams.transform.spark.lake import IcebergLake

log = logging.getLogger(__name__)

SNAPSHOT_RETENTION = timedelta(days=policy.SNAPSHOTS_KEPT_DAYS)
"""How long snapshots can be read, and how long a file that no snapshot refers to may still be committed."""
_MIN_FILES = 5  # fewer small files of a day, or small manifests, are not merged
_SMALL_FILE = 384 * 1024**2  # bytes; Iceberg's target is 512 MiB
_SMALL_MANIFEST = 4 * 1024**2  # bytes; Iceberg's target is 8 MiB
_COMPACTION = {
    "min-input-files": str(_MIN_FILES),
    "min-file-size-bytes": str(_SMALL_FILE),
    "delete-file-threshold": "1",  # the pipeline writes no delete files; those of other programs are merged
    "partial-progress.enabled": "true",  # files in conflict are skipped, the others are rewritten
}


@dataclass(frozen=True)
class TableMaintenance:
    """Maintains tables; `now` decides which rows, snapshots and files have expired."""

    lake: IcebergLake
    now: datetime

    def maintain(self, table: str, rejected_rows_days: int) -> TableReport:
        """Run all steps and return the report: delete rows, rewrite files, expire snapshots, delete orphan files."""
        before = self._size(table)
        removed = self.remove_rejected(rejected_rows_days) if table == REJECTED_ROWS and rejected_rows_days else 0
        skipped = [*self.compact(table), *self.merge_manifests(table)]
        self.expire(table)
        # Younger files may still be committed.
        orphan_files = self.lake.remove_orphans(table, self.now - SNAPSHOT_RETENTION)
        report = TableReport(table, before, self._size(table), removed, orphan_files, skipped)
        log.info("%s", report)
        return report

    def remove_rejected(self, days: int) -> int:
        """Delete the rejected rows of files that arrived more than `days` whole UTC days ago; return their number."""
        midnight = datetime.combine(self.now.date() - timedelta(days=days), time(), UTC)
        return self.lake.delete_rejected_before(midnight)

    def compact(self, table: str) -> list[str]:
        """Merge the small files of each day; return how many remain, as a text for the report."""
        options = ", ".join(f"'{name}', '{value}'" for name, value in _COMPACTION.items())
        self.lake.call("rewrite_data_files", table, options=f"map({options})")
        # The procedure does not report commits that were rejected.
        remaining = self.lake.small_files(table, _SMALL_FILE, _MIN_FILES)
        return [f"{remaining} data files"] if remaining else []

    def merge_manifests(self, table: str) -> list[str]:
        """Merge small manifests; return how many remain because a run replaced one, as a text for the report."""
        small = [size for size in self.lake.manifests(table) if size < _SMALL_MANIFEST]
        if len(small) < _MIN_FILES:
            return []
        try:
            self.lake.call("rewrite_manifests", table)
        except Py4JJavaError as error:
            if not is_conflict(error):
                raise
            return [f"{len(small)} manifests"]
        return []

    def expire(self, table: str) -> None:
        """Expire snapshots older than :data:`SNAPSHOT_RETENTION`, and the files that only they refer to.

        The snapshot that was current at that instant is kept too: while one that old is listed, IcebergLake.append
        knows that no snapshot of a running execution has expired.
        """
        oldest = self.lake.state(table).last_commit_before(self.now - SNAPSHOT_RETENTION)
        if oldest is not None:
            self.lake.call("expire_snapshots", table, older_than=timestamp(oldest), retain_last="1")

    def _size(self, table: str) -> Size:
        state = self.lake.state(table)
        manifests = len(self.lake.manifests(table))
        return Size(state.total("data-files"), state.total("files-size"), manifests, state.snapshots)
