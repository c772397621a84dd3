"""Permanently remove the lines of forgotten users from every kept file, its older versions and its staged copies.

The rows were deleted from the lake before. The run's summary lists the sources that had some, as do the notes of
earlier failed runs for the same users. Quarantined and retracted files have no rows in the lake, so each is searched. A
file that cannot be searched, because of its size, its format or the time that it takes, is deleted whole, and an alert
names it. Progress is noted in the run's folder, and a repeat continues from there.

No file blocks others: one that fails is retried after all others. One that runs out of time is searched alone after
them, until it is the first of an invocation and has all the time that a file can have.
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
from music_streams.forget.file_clearing import (
    Clearing,
    FileOutcome,
    FileTooSlow,
    Unclearable,
    about,
    is_kept,
    warn_in_flight,
)
from music_streams.forget.progress import Deleted, Erased, read_erased, write_erased
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.removed_rows import Removals
from music_streams.state.run_files import RunFolder, read_manifest, read_summary
from music_streams.state.sources import ID_DIGITS, execution_name
from music_streams.state.statuses import FINISHED, WITHOUT_ROWS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_SLICE_BYTES = 64 * 1024**2  # a quarter of the function's time suffices for it, and its memory by far
_STAGED = re.compile(rf"runs/[^/]+/input/([0-9a-f]{{{ID_DIGITS}}})\.csv(\.gz)?")
# A run that forgets users has one attempt. The pipeline names no folder otherwise than by a batch_id.
_OF_RUN = re.compile(rf"runs/([0-9a-f]{{{ID_DIGITS}}})/(manifest\.json$|removed/\1-1/notes/)")


@dataclass(frozen=True)
class Erasure:
    """Removes users from the kept files.

    Attributes:
        max_file_bytes: uncompressed bytes that are read at most of a file that was never accepted.
        seconds: returns the time of a monotonic clock.
    """

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    max_file_bytes: int
    seconds: Callable[[], float] = time.monotonic

    def erase(self, manifest_uri: str, has_time: Callable[[], bool], file_seconds: float) -> int:
        """Remove the users that the manifest lists from the files. Idempotent, and can be repeated after a crash.

        A file in flight is skipped with a warning: forget must be requested again.

        Args:
            manifest_uri: location of the manifest.
            has_time: returns whether there is time for another slice.
            file_seconds: how long files may be searched from now on. A file that is alone in the first slice has all of
                it, and is deleted whole if that does not suffice.

        Raises:
            Exception: the first error of a file, after all other files are done. Files with errors are unchanged, and a
                repeat retries them.

        Returns:
            The number of files or staged copies left; call again unless it is 0.
        """
        folder = RunFolder.of_manifest(manifest_uri)
        users = read_manifest(self.s3, folder).forget
        if not users:
            return 0
        end = self.seconds() + file_seconds
        clearing = Clearing(self.s3, self.ledger, users, self.max_file_bytes, lambda: self.seconds() < end)
        forgotten = {*read_summary(self.s3, folder).forgotten, *self._left_by_failed_runs(folder, users)}
        entries = self._kept_entries(sorted(forgotten))
        notes = read_erased(self.s3, folder)
        waiting = {entry.source.source_id: entry for entry in entries if entry.source.source_id not in notes.done}
        errors: list[BaseException] = []
        for number, part in enumerate(_parts(list(waiting.values()), notes)):
            if number and not (has_time() and clearing.is_in_time()):
                break
            results = self._clear(clearing, part)
            if number == 0 and len(part) == 1:
                results.delete_slow(file_seconds)
            self._note(folder, notes, results, clearing)
            errors += results.errors
            for source_id in results.settled:
                del waiting[source_id]
        if not notes.failed.issuperset(waiting):
            return len(waiting)
        done = (entry for entry in entries if entry.source.source_id in notes.done)
        finished_at = {entry.source.source_id: entry.updated_at for entry in done}
        copies = list(self._staged(folder.bucket, finished_at))
        left = process_slices(copies, lambda copy: self.s3.delete_object(Bucket=copy.bucket, Key=copy.key), has_time)
        if errors and not left:
            raise errors[0]
        return left + len(waiting)

    def _kept_entries(self, forgotten: list[str]) -> list[Entry]:
        """Return the entries of the files to search, all of which have finished."""
        not_in_lake = [entry for status in WITHOUT_ROWS for entry in self.ledger.with_status(status)]
        entries = self.ledger.entries([*forgotten, *(entry.source.source_id for entry in not_in_lake)]).values()
        for entry in entries:
            if entry.status not in FINISHED:
                warn_in_flight(entry)
        return [entry for entry in entries if entry.status in FINISHED and is_kept(entry)]

    def _left_by_failed_runs(self, folder: RunFolder, users: list[int]) -> Iterator[str]:
        """Yield the sources in which failed runs found rows of the users, and which they did not search.

        Such a run deleted the rows from the lake, so later runs cannot find these sources there.

        If a run's manifest is damaged, its users are unknown, and the run is treated as one for these users:
        searching a file needlessly costs a read, but skipping one could leave their lines in it forever.

        Raises:
            DamagedObject: a note of such a run cannot be read, so that some files with lines of the users may be
                unknown. Reporting the users as forgotten could be wrong.
        """
        manifests, noted = set[str](), set[str]()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix="runs/"):
            for item in page.get("Contents", []):
                if match := _OF_RUN.match(item["Key"]):
                    (manifests if match[2] == "manifest.json" else noted).add(match[1])
        for batch_id in sorted(manifests & noted - {folder.batch_id}):
            other = RunFolder(folder.bucket, batch_id)
            if self._may_have_forgotten(other, users):
                removed = Removals(self.s3, folder.bucket).of(execution_name(batch_id, 1))
                yield from removed.days.keys() - self._searched_by(other)

    def _may_have_forgotten(self, other: RunFolder, users: list[int]) -> bool:
        try:
            return not set(users).isdisjoint(read_manifest(self.s3, other).forget)
        except DamagedObject as error:
            log.warning("%s; searching the files that this run's notes list", error)
            return True

    def _searched_by(self, other: RunFolder) -> set[str]:
        """Return the sources that another run has searched; none if its notes of that are damaged."""
        try:
            return read_erased(self.s3, other).done
        except DamagedObject as error:
            log.warning("%s; searching all files of this run again", error)
            return set()

    def _clear(self, clearing: Clearing, part: list[Entry]) -> "_Results":
        """Clear files concurrently. An error of one does not stop the others."""
        results = _Results()
        for entry, future in _concurrently(clearing.clear, part):
            error = future.exception()
            if error is None:
                results.settled[entry.source.source_id] = future.result()
            elif isinstance(error, Unclearable):
                results.to_delete[entry.source.source_id] = (entry, str(error))
            elif isinstance(error, FileTooSlow):
                results.slow[entry.source.source_id] = entry
            else:
                results.fail(entry, error)
        return results

    def _note(self, folder: RunFolder, notes: Erased, results: "_Results", clearing: Clearing) -> None:
        """Delete entire files, alert, and note the outcome of each file.

        The note is written before the deletion, so that after a crash at any point a repeat, which no longer finds the
        file, still sends the alert.
        """
        for source_id, (entry, reason) in results.to_delete.items():
            notes.to_delete[source_id] = Deleted(entry.place.uri, reason)
        if results.to_delete:
            write_erased(self.s3, folder, notes)
        for entry, future in _concurrently(clearing.delete, [entry for entry, _ in results.to_delete.values()]):
            if error := future.exception():
                results.fail(entry, error)
            else:
                results.settled[entry.source.source_id] = future.result()
        for source_id in notes.to_delete.keys() & results.of(FileOutcome.CLEARED, FileOutcome.MOVED):
            del notes.to_delete[source_id]  # since it was noted the source has changed, or become readable
        gone = results.of(FileOutcome.GONE) & notes.to_delete.keys()
        deleted = {source_id: notes.to_delete[source_id] for source_id in gone}
        for source_id, file in deleted.items():
            message = "deleted the entire file %s, in all its versions: %s"
            log.warning(message, file.object, file.why, extra={"source_id": source_id})
        if deleted:
            self._alert(folder.batch_id, list(deleted.values()))
        notes.finish(results.of(FileOutcome.CLEARED, FileOutcome.GONE))
        notes.slow |= results.slow.keys()
        notes.failed = (notes.failed - results.slow.keys()) | results.failed
        notes.slow -= results.failed
        write_erased(self.s3, folder, notes)

    def _alert(self, batch_id: str, deleted: list[Deleted]) -> None:
        self.alerts.send(
            f"music-streams: forget deleted {plural(len(deleted), 'entire file')}",
            [
                "A user's lines could not be removed from these files, so all their versions were deleted:",
                *listed([f"{file.object}: {file.why}" for file in deleted]),
                f"The full list: erased.json in the run's folder, batch {batch_id}.",
                "What to do: if lines of other users are needed, ask the producer for the file without this user.",
                "Other users' accepted rows stay in the lake, but a rebuild from the archive will lack them.",
            ],
        )

    def _staged(self, bucket: str, finished_at: dict[str, str]) -> Iterator[Place]:
        """Yield the staged copies of sources, which past runs have read.

        One that is newer than its source's last change of status is for a new attempt that is not in the ledger yet.
        """
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="runs/"):
            for item in page.get("Contents", []):
                match = _STAGED.fullmatch(item["Key"])
                if match and clock.timestamp(item["LastModified"]) < finished_at.get(match[1], ""):
                    yield Place(bucket, item["Key"], "")


@dataclass
class _Results:
    """The outcomes of the files of a slice, by source_id. This invocation is done with the settled ones."""

    settled: dict[str, FileOutcome] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    slow: dict[str, Entry] = field(default_factory=dict)
    to_delete: dict[str, tuple[Entry, str]] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    def of(self, *outcomes: FileOutcome) -> set[str]:
        return {source_id for source_id, outcome in self.settled.items() if outcome in outcomes}

    def fail(self, entry: Entry, error: BaseException) -> None:
        message = "%s could not be cleared, and is retried after all others: %s: %s"
        log.warning(message, entry.place.uri, type(error).__name__, error, extra=about(entry))
        self.failed.add(entry.source.source_id)
        self.errors.append(error)

    def delete_slow(self, seconds: float) -> None:
        """Mark the slow file to be deleted: it was alone, and had all the time that a file can have."""
        for source_id, entry in self.slow.items():
            self.to_delete[source_id] = (entry, f"it could not be searched in {seconds:,.0f} seconds")
        self.slow = {}


def _concurrently(
    act: Callable[[Entry], FileOutcome], entries: list[Entry]
) -> list[tuple[Entry, "Future[FileOutcome]"]]:
    """Call `act` for all entries concurrently, and return when all calls have ended, successfully or not."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:  # leaving it waits for all
        return [(entry, pool.submit(act, entry)) for entry in entries]


def _parts(entries: list[Entry], notes: Erased) -> Iterator[list[Entry]]:
    """Yield what to process concurrently: new files in slices, then each slow one alone, then failed ones."""
    slow = [entry for entry in entries if entry.source.source_id in notes.slow]
    failed = [entry for entry in entries if entry.source.source_id in notes.failed]
    fresh = [entry for entry in entries if entry.source.source_id not in notes.slow | notes.failed]
    yield from _slices(fresh)
    yield from ([entry] for entry in slow)
    yield from _slices(failed)


def _slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    for entry in entries:
        is_full = len(part) == PARALLEL_CALLS or sum(other.source.size for other in [*part, entry]) > _SLICE_BYTES
        if part and is_full:
            yield part
            part = []
        part.append(entry)
    if part:
        yield part
