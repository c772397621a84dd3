"""Permanently erase the lines of forgotten users from the files of finished sources, in `archive/` and `quarantine/`.

That includes older versions and staged copies. The transform has already deleted the rows from the lake, and listed
their sources in the run's summary; earlier failed runs for the same users recorded theirs. Quarantined and retracted
files have no rows in the lake, so each is searched. A file that cannot be searched, because of its size, its format or
the time that it takes, is deleted, and an alert names it. A retry continues from the progress in the run's folder.

A file that fails is retried after all others. A file that runs out of time is searched alone, and in the end gets the
search time of a whole invocation; if that does not suffice, it is deleted.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.aws.alert_sender import Alerts, listed
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.aws.objects import Place
from music_streams.aws.slices import process_slices
from music_streams.display import plural
from music_streams.errors import DamagedObject
from music_streams.forget.file_eraser import (
    FileEraser,
    FileOutcome,
    FileTooSlow,
    NotErasable,
    about,
    should_search,
    warn_unfinished,
)
from music_streams.forget.progress import ErasureProgress, FileToDelete, read_erased, write_erased
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.removed_rows import RemovalRecords
from music_streams.state.run_files import RunFolder, read_manifest, read_summary
from music_streams.state.sources import ID_DIGITS, execution_name
from music_streams.state.statuses import FINISHED, WITHOUT_ROWS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_SLICE_BYTES = 64 * 1024**2  # takes less than a quarter of the function's time, and far less than its memory
_STAGED_KEY = re.compile(rf"runs/[^/]+/input/([0-9a-f]{{{ID_DIGITS}}})\.csv(\.gz)?")
# A run that forgets users has one attempt. Each folder under runs/ is named by a batch_id.
_RUN_KEY = re.compile(rf"runs/([0-9a-f]{{{ID_DIGITS}}})/(manifest\.json$|removed/\1-1/notes/)")


@dataclass(frozen=True)
class Erasure:
    """Erases users from the files under `archive/` and `quarantine/`.

    Attributes:
        max_file_bytes: maximum number of uncompressed bytes to read from a file that was never accepted.
        monotonic_clock: returns its time in seconds.
    """

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    max_file_bytes: int
    monotonic_clock: Callable[[], float] = time.monotonic

    def erase(self, manifest_uri: str, has_time: Callable[[], bool], search_seconds: float) -> int:
        """Erase the users that the manifest lists from the files. Idempotent.

        A file that has not finished (in flight or FAILED) is skipped with a warning: forget must be requested again.

        Args:
            manifest_uri: location of the manifest.
            has_time: returns whether there is time for another slice.
            search_seconds: how long files may be searched from now on. A file that is alone in the first slice has all
                of it, and is deleted if that does not suffice.

        Raises:
            Exception: the first error of a file, after all other files are finished. A file with an error stays
                complete, perhaps with lines of the users, and the next call retries it.

        Returns:
            The number of files or staged copies that remain; call again unless it is 0.
        """
        folder = RunFolder.of_manifest(manifest_uri)
        users = read_manifest(self.s3, folder).forget
        if not users:
            return 0
        end = self.monotonic_clock() + search_seconds
        eraser = FileEraser(self.s3, self.ledger, users, self.max_file_bytes, lambda: self.monotonic_clock() < end)
        sources_with_users = {*read_summary(self.s3, folder).forgotten, *self._sources_of_failed_runs(folder, users)}
        entries = self._entries_to_search(sorted(sources_with_users))
        progress = read_erased(self.s3, folder)
        remaining = {entry.source.source_id: entry for entry in entries if entry.source.source_id not in progress.done}
        errors: list[BaseException] = []
        for number, group in enumerate(_groups(list(remaining.values()), progress)):
            if number and not (has_time() and eraser.has_time_left()):
                break
            results = self._erase(eraser, group)
            if number == 0 and len(group) == 1:
                results.mark_slow_for_deletion(search_seconds)
            self._delete_and_record(folder, progress, results, eraser)
            errors += results.errors
            for source_id in results.finished:
                del remaining[source_id]
        if not progress.failed.issuperset(remaining):
            return len(remaining)
        done = (entry for entry in entries if entry.source.source_id in progress.done)
        finished_at = {entry.source.source_id: entry.updated_at for entry in done}
        copies = list(self._staged(folder.bucket, finished_at))
        more = process_slices(copies, lambda copy: self.s3.delete_object(Bucket=copy.bucket, Key=copy.key), has_time)
        if errors and not more:
            raise errors[0]
        return more + len(remaining)

    def _entries_to_search(self, sources_with_users: list[str]) -> list[Entry]:
        """Return the entries of the files to search, all of which have finished."""
        not_in_lake = [entry for status in WITHOUT_ROWS for entry in self.ledger.with_status(status)]
        ids = [*sources_with_users, *(entry.source.source_id for entry in not_in_lake)]
        entries = self.ledger.entries(ids).values()
        for entry in entries:
            if entry.status not in FINISHED:
                warn_unfinished(entry)
        return [entry for entry in entries if entry.status in FINISHED and should_search(entry)]

    def _sources_of_failed_runs(self, folder: RunFolder, users: list[int]) -> Iterator[str]:
        """Yield the sources in which failed runs found rows of the users, and which they did not search.

        Such a run deleted the rows from the lake, so later runs cannot find these sources there.

        If a run's manifest is damaged, its users are unknown, and the run is treated as one for these users:
        searching a file needlessly costs a read, but skipping one could leave their lines in it forever.

        Raises:
            DamagedObject: a record of such a run cannot be read. Some files with lines of the users may be missed, so
                the run must not report success.
        """
        manifests, recorded = set[str](), set[str]()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix="runs/"):
            for item in page.get("Contents", []):
                if match := _RUN_KEY.match(item["Key"]):
                    (manifests if match[2] == "manifest.json" else recorded).add(match[1])
        for batch_id in sorted(manifests & recorded - {folder.batch_id}):
            other = RunFolder(folder.bucket, batch_id)
            if self._may_be_for_these_users(other, users):
                removed = RemovalRecords(self.s3, folder.bucket).read(execution_name(batch_id, 1))
                yield from removed.days.keys() - self._searched_by(other)

    def _may_be_for_these_users(self, other: RunFolder, users: list[int]) -> bool:
        """Return whether another run forgets one of the users, or its manifest is damaged."""
        try:
            return not set(users).isdisjoint(read_manifest(self.s3, other).forget)
        except DamagedObject as error:
            log.warning("%s; searching the files that this run recorded", error)
            return True

    def _searched_by(self, other: RunFolder) -> set[str]:
        """Return the sources that another run has searched; none if its progress is damaged."""
        try:
            return read_erased(self.s3, other).done
        except DamagedObject as error:
            log.warning("%s; searching all files of this run again", error)
            return set()

    def _erase(self, eraser: FileEraser, group: list[Entry]) -> "_Results":
        """Erase the users from files concurrently. An error of one does not stop the others."""
        results = _Results()
        for entry, future in _concurrently(eraser.erase, group):
            error = future.exception()
            if error is None:
                results.finished[entry.source.source_id] = future.result()
            elif isinstance(error, NotErasable):
                results.to_delete[entry.source.source_id] = (entry, str(error))
            elif isinstance(error, FileTooSlow):
                results.slow[entry.source.source_id] = entry
            else:
                results.fail(entry, error)
        return results

    def _delete_and_record(
        self, folder: RunFolder, progress: ErasureProgress, results: "_Results", eraser: FileEraser
    ) -> None:
        """Delete the files that could not be searched, alert, and write the progress.

        The files to delete are recorded first, so that after a crash at any point a retry, which no longer finds the
        file, still sends the alert.
        """
        for source_id, (entry, reason) in results.to_delete.items():
            progress.to_delete[source_id] = FileToDelete(entry.place.uri, reason)
        if results.to_delete:
            write_erased(self.s3, folder, progress)
        for entry, future in _concurrently(eraser.delete, [entry for entry, _ in results.to_delete.values()]):
            if error := future.exception():
                results.fail(entry, error)
            else:
                results.finished[entry.source.source_id] = future.result()
        for source_id in progress.to_delete.keys() & results.with_outcome(FileOutcome.ERASED, FileOutcome.MOVED):
            del progress.to_delete[source_id]  # since it was recorded the source has changed, or become readable
        gone = results.with_outcome(FileOutcome.GONE) & progress.to_delete.keys()
        deleted = {source_id: progress.to_delete[source_id] for source_id in gone}
        for source_id, file in deleted.items():
            message = "deleted the entire file %s, with all its versions: %s"
            log.warning(message, file.object, file.why, extra={"source_id": source_id})
        if deleted:
            self._alert(folder.batch_id, list(deleted.values()))
        progress.finish(results.with_outcome(FileOutcome.ERASED, FileOutcome.GONE))
        progress.slow |= results.slow.keys()
        progress.failed = (progress.failed - results.slow.keys()) | results.failed
        progress.slow -= results.failed
        write_erased(self.s3, folder, progress)

    def _alert(self, batch_id: str, deleted: list[FileToDelete]) -> None:
        self.alerts.send(
            f"music-streams: forget deleted {plural(len(deleted), 'entire file')}",
            [
                "These files were deleted, with all their versions, because a user's lines could not be removed:",
                *listed([f"{file.object}: {file.why}" for file in deleted]),
                f"The full list: erased.json in the run's folder, batch {batch_id}.",
                "What to do: if lines of other users are needed, ask the producer for the file without this user.",
                "Other users' accepted rows stay in the lake, but a rebuild from the archive will lack them.",
            ],
        )

    def _staged(self, bucket: str, finished_at: dict[str, str]) -> Iterator[Place]:
        """Yield the staged copies of sources, which past runs have read.

        A copy that is newer than its source's last change of status is for a new attempt that is not in the ledger yet.
        """
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="runs/"):
            for item in page.get("Contents", []):
                match = _STAGED_KEY.fullmatch(item["Key"])
                if match and clock.timestamp(item["LastModified"]) < finished_at.get(match[1], ""):
                    yield Place(bucket, item["Key"], "")


@dataclass
class _Results:
    """The outcomes of the files of a slice, by source_id; those in `finished` need no more work in this invocation."""

    finished: dict[str, FileOutcome] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    slow: dict[str, Entry] = field(default_factory=dict)
    to_delete: dict[str, tuple[Entry, str]] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    def with_outcome(self, *outcomes: FileOutcome) -> set[str]:
        return {source_id for source_id, outcome in self.finished.items() if outcome in outcomes}

    def fail(self, entry: Entry, error: BaseException) -> None:
        message = "users could not be erased from %s, which is retried after all others: %s: %s"
        log.warning(message, entry.place.uri, type(error).__name__, error, extra=about(entry))
        self.failed.add(entry.source.source_id)
        self.errors.append(error)

    def mark_slow_for_deletion(self, seconds: float) -> None:
        """Mark the slow file for deletion: it was alone, and had all the time that a file can have."""
        for source_id, entry in self.slow.items():
            self.to_delete[source_id] = (entry, f"it could not be searched in {seconds:,.0f} seconds")
        self.slow = {}


def _concurrently(
    act: Callable[[Entry], FileOutcome], entries: list[Entry]
) -> list[tuple[Entry, "Future[FileOutcome]"]]:
    """Call `act` for all entries concurrently, and return when all calls have ended, successfully or not."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:  # leaving it waits for all
        return [(entry, pool.submit(act, entry)) for entry in entries]


def _groups(entries: list[Entry], progress: ErasureProgress) -> Iterator[list[Entry]]:
    """Yield what to process concurrently: new files in slices, then each slow one alone, then failed ones."""
    slow = [entry for entry in entries if entry.source.source_id in progress.slow]
    failed = [entry for entry in entries if entry.source.source_id in progress.failed]
    fresh = [entry for entry in entries if entry.source.source_id not in progress.slow | progress.failed]
    yield from _slices(fresh)
    yield from ([entry] for entry in slow)
    yield from _slices(failed)


def _slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    for entry in entries:
        is_full = len(group) == PARALLEL_CALLS or sum(other.source.size for other in [*group, entry]) > _SLICE_BYTES
        if group and is_full:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
