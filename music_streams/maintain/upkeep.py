"""The upkeep of one table: each step may be the last before the run dies, and is repeated by the next run.

Every step makes a new snapshot, or none where there is nothing to do; none changes what a snapshot says. So nobody who
reads or writes meanwhile is held up: readers have their snapshot, and of two that replace the same file the one that
commits first is right. A run of the transform then begins its statement anew; the upkeep leaves the file to the next
time.
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

KEPT = timedelta(days=policy.SNAPSHOTS_KEPT_DAYS)
"""How long every state of a table can be read, and a file that no snapshot refers to may be about to be committed."""
_FEWEST = 5  # small files of a day, or small manifests: fewer are not worth a new one
_SMALL_FILE = 384 * 1024**2  # bytes; Iceberg makes them of 512 MiB
_SMALL_MANIFEST = 4 * 1024**2  # bytes; Iceberg makes them of 8 MiB
_COMPACTION = {
    "min-input-files": str(_FEWEST),
    "min-file-size-bytes": str(_SMALL_FILE),
    "delete-file-threshold": "1",  # the pipeline writes no delete files; what others left is merged in
    "partial-progress.enabled": "true",  # what conflicts is left alone, and the rest is done
}


@dataclass(frozen=True)
class Upkeep:
    """Does the upkeep of tables as of one moment."""

    lake: IcebergLake
    now: datetime

    def of(self, table: str, rejected_rows_days: int) -> TableReport:
        """Do all steps in their order: what leaves is not rewritten before, and what was rewritten can expire later."""
        before = self._size(table)
        removed = self.remove_rejected(rejected_rows_days) if table == REJECTED_ROWS and rejected_rows_days else 0
        left = [*self.compact(table), *self.merge_manifests(table)]
        self.expire(table)
        orphans = self.lake.remove_orphans(table, self.now - KEPT)  # once nobody can be about to commit them
        report = TableReport(table, before, self._size(table), removed, orphans, left)
        log.info("%s", report)
        return report

    def remove_rejected(self, days: int) -> int:
        """Delete the rejected rows of files that arrived more than so many whole UTC days ago; answers how many."""
        midnight = datetime.combine(self.now.date() - timedelta(days=days), time(), UTC)
        return self.lake.delete_rejected_before(midnight)

    def compact(self, table: str) -> list[str]:
        """Write the small files of a day as one; what runs are changing is left, and told."""
        options = ", ".join(f"'{name}', '{value}'" for name, value in _COMPACTION.items())
        self.lake.call("rewrite_data_files", table, options=f"map({options})")
        # It does not tell of commits that were refused.
        left = self.lake.small_files(table, _SMALL_FILE, _FEWEST)
        return [f"{left} data files"] if left else []

    def merge_manifests(self, table: str) -> list[str]:
        """Write many small manifests as few; where a run replaces one meanwhile they are left, and told."""
        small = [size for size in self.lake.manifests(table) if size < _SMALL_MANIFEST]
        if len(small) < _FEWEST:
            return []
        try:
            self.lake.call("rewrite_manifests", table)
        except Py4JJavaError as error:
            if not is_conflict(error):
                raise
            return [f"{len(small)} manifests"]
        return []

    def expire(self, table: str) -> None:
        """Let snapshots go, and the files that only they refer to, so that every state since :data:`KEPT` can be read.

        So the one that was current then stays: by its age a list of snapshots that has lost some still shows to have
        lost none of an execution that is under way (see IcebergLake.append).
        """
        oldest = self.lake.state(table).last_moment_before(self.now - KEPT)
        if oldest is not None:
            self.lake.call("expire_snapshots", table, older_than=timestamp(oldest), retain_last="1")

    def _size(self, table: str) -> Size:
        state = self.lake.state(table)
        manifests = len(self.lake.manifests(table))
        return Size(state.total("data-files"), state.total("files-size"), manifests, state.snapshots)
