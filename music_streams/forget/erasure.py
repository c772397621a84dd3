"""The lines of users to be forgotten leave every kept file, for good: no older version stays, no staged copy.

The rows have left the lake before; which sources held some the run's summary tells, and the notes of earlier runs for
the same users that failed. Of a quarantined or retracted file the lake tells nothing, so each is looked at. A file that
cannot be looked through, for its size, its form or the time that it takes, is deleted whole, and the operators hear of
it. What is done is noted in the run's folder: a repeat goes on from there.

No file keeps others waiting for ever: one that fails is tried again after all others, and one that runs out of time is
looked at alone after them, until an invocation begins with it: then it has all the time that a file can have.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.aws.alert_topic import Alerts, listed
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
    warn_of_move,
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

_SLICE_BYTES = 64 * 1024**2  # what a quarter of the function's time is enough for, and its memory, many times over
_STAGED = re.compile(rf"runs/[^/]+/input/([0-9a-f]{{{ID_DIGITS}}})\.csv(\.gz)?")
# What forgets users has one attempt, and a batch_id in its name: folders of other names are not of the pipeline.
_OF_RUN = re.compile(rf"runs/([0-9a-f]{{{ID_DIGITS}}})/(manifest\.json$|removed/\1-1/notes/)")


@dataclass(frozen=True)
class Erasure:
    """Takes users out of the kept files.

    Attributes:
        max_file_bytes: what is read, uncompressed, of a file that never was accepted.
        seconds: gives the time of a clock that only goes forward.
    """

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    max_file_bytes: int
    seconds: Callable[[], float] = time.monotonic

    def erase(self, manifest_uri: str, has_time: Callable[[], bool], file_seconds: float) -> int:
        """Take the users that the manifest names out of the files; may be repeated at any point.

        A file that is on its way somewhere else is left out, with a warning: forgetting is to be asked for again.

        Args:
            manifest_uri: where the manifest lies.
            has_time: whether there is time for another slice.
            file_seconds: how long files may be looked at from now on. The first file of an invocation has all of it,
                and where it is the only one of its slice it is deleted whole when they are over.

        Raises:
            Exception: the first of those that files raised, after all other files are done; those files are as they
                were, and a repeat tries them again.

        Returns:
            How many files or staged copies are left; where any are the step is to be entered again.
        """
        folder = RunFolder.of_manifest(manifest_uri)
        users = read_manifest(self.s3, folder).forget
        if not users:
            return 0
        end = self.seconds() + file_seconds
        clearing = Clearing(self.s3, self.ledger, users, self.max_file_bytes, lambda: self.seconds() < end)
        forgotten = {*read_summary(self.s3, folder).forgotten, *self._left_by_others(folder, users)}
        entries = self._kept_entries(sorted(forgotten))
        notes = read_erased(self.s3, folder)
        waiting = {each.source.source_id: each for each in entries if each.source.source_id not in notes.done}
        errors: list[BaseException] = []
        for number, part in enumerate(_parts(list(waiting.values()), notes)):
            if number and not (has_time() and clearing.is_in_time()):
                break
            results = self._clear(clearing, part)
            if number == 0 and len(part) == 1:
                results.set_against_time(file_seconds)
            self._note(folder, notes, results, clearing)
            errors += results.errors
            for source_id in results.settled:
                del waiting[source_id]
        if not notes.failed.issuperset(waiting):
            return len(waiting)
        done = (each for each in entries if each.source.source_id in notes.done)
        at_rest_since = {each.source.source_id: each.updated_at for each in done}
        copies = list(self._staged(folder.bucket, at_rest_since))
        left = process_slices(copies, lambda copy: self.s3.delete_object(Bucket=copy.bucket, Key=copy.key), has_time)
        if errors and not left:
            raise errors[0]
        return left + len(waiting)

    def _kept_entries(self, forgotten: list[str]) -> list[Entry]:
        """The entries of the files to look at, all of them at rest."""
        unknown_to_lake = [entry for status in WITHOUT_ROWS for entry in self.ledger.with_status(status)]
        entries = self.ledger.entries([*forgotten, *(entry.source.source_id for entry in unknown_to_lake)]).values()
        for entry in entries:
            if entry.status not in FINISHED:
                warn_of_move(entry)
        return [entry for entry in entries if entry.status in FINISHED and is_kept(entry)]

    def _left_by_others(self, folder: RunFolder, users: list[int]) -> Iterator[str]:
        """The sources that other runs have found to hold rows of the users, and did not look through.

        Such a run has failed. The rows have left the lake with it: a later run finds none that tell of these sources.

        Of a run whose manifest is damaged nobody knows whom it was to forget. It is taken to have forgotten these users
        too: to read a file without need costs a read, to skip one may leave their lines in it for ever.

        Raises:
            DamagedObject: a note of such a run cannot be read, so that some files that may hold lines of the users are
                not known. To report them as forgotten would be a lie.
        """
        manifests, noted = set[str](), set[str]()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix="runs/"):
            for found in page.get("Contents", []):
                if match := _OF_RUN.match(found["Key"]):
                    (manifests if match[2] == "manifest.json" else noted).add(match[1])
        for batch_id in sorted(manifests & noted - {folder.batch_id}):
            other = RunFolder(folder.bucket, batch_id)
            if self._may_have_forgotten(other, users):
                removed = Removals(self.s3, folder.bucket).of(execution_name(batch_id, 1))
                yield from removed.days.keys() - self._done_by(other)

    def _may_have_forgotten(self, other: RunFolder, users: list[int]) -> bool:
        try:
            return not set(users).isdisjoint(read_manifest(self.s3, other).forget)
        except DamagedObject as error:
            log.warning("%s; the files that this run's notes name are looked through", error)
            return True

    def _done_by(self, other: RunFolder) -> set[str]:
        """The sources that another run has looked through; none where its notes of that are damaged."""
        try:
            return read_erased(self.s3, other).done
        except DamagedObject as error:
            log.warning("%s; all files of this run are looked through again", error)
            return set()

    def _clear(self, clearing: Clearing, part: list[Entry]) -> "_Results":
        """Look at files side by side. Whatever one of them raises, the others are looked at."""
        results = _Results()
        for entry, ended in _side_by_side(clearing.clear, part):
            error = ended.exception()
            if error is None:
                results.settled[entry.source.source_id] = ended.result()
            elif isinstance(error, Unclearable):
                results.doomed[entry.source.source_id] = (entry, str(error))
            elif isinstance(error, FileTooSlow):
                results.slow[entry.source.source_id] = entry
            else:
                results.fail(entry, error)
        return results

    def _note(self, folder: RunFolder, notes: Erased, results: "_Results", clearing: Clearing) -> None:
        """Delete what is doomed, tell of it, and note what became of each file.

        In this order a crash at any point leaves a note of every file that is deleted, and the alert comes in the end:
        a repeat finds no file, but the note.
        """
        for source_id, (entry, why) in results.doomed.items():
            notes.doomed[source_id] = Deleted(entry.place.uri, why)
        if results.doomed:
            write_erased(self.s3, folder, notes)
        for entry, ended in _side_by_side(clearing.delete, [entry for entry, _ in results.doomed.values()]):
            if error := ended.exception():
                results.fail(entry, error)
            else:
                results.settled[entry.source.source_id] = ended.result()
        for source_id in notes.doomed.keys() & results.of(FileOutcome.CLEARED, FileOutcome.MOVED):
            del notes.doomed[source_id]  # it was another's then, or could not be read
        gone = results.of(FileOutcome.GONE) & notes.doomed.keys()
        deleted = {source_id: notes.doomed[source_id] for source_id in gone}
        for source_id, each in deleted.items():
            told = "%s is deleted whole, with all its versions: %s"
            log.warning(told, each.object, each.why, extra={"source_id": source_id})
        if deleted:
            self._alert(folder.batch_id, list(deleted.values()))
        notes.finish(results.of(FileOutcome.CLEARED, FileOutcome.GONE))
        notes.slow |= results.slow.keys()
        notes.failed = (notes.failed - results.slow.keys()) | results.failed
        notes.slow -= results.failed
        write_erased(self.s3, folder, notes)

    def _alert(self, batch_id: str, deleted: list[Deleted]) -> None:
        self.alerts.send(
            f"music-streams: forget deleted {plural(len(deleted), 'file')} whole",
            [
                "These files could not be cleared of a user who is to be forgotten, and are deleted with all versions:",
                *listed([f"{each.object}: {each.why}" for each in deleted]),
                f"All of them: erased.json in the run's folder, batch {batch_id}.",
                "What to do: where lines of others are needed, have the file uploaded again without the user.",
                "Rows that were accepted stay in the lake; a rebuild from the archive lacks them.",
            ],
        )

    def _staged(self, bucket: str, at_rest_since: dict[str, str]) -> Iterator[Place]:
        """The copies of sources that past runs have read.

        One that is younger than the source's rest is for a new attempt, of which the ledger does not tell yet.
        """
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="runs/"):
            for found in page.get("Contents", []):
                match = _STAGED.fullmatch(found["Key"])
                if match and clock.timestamp(found["LastModified"]) < at_rest_since.get(match[1], ""):
                    yield Place(bucket, found["Key"], "")


@dataclass
class _Results:
    """What became of the files of a slice, by source_id; the settled ones need no other look by this step."""

    settled: dict[str, FileOutcome] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    slow: dict[str, Entry] = field(default_factory=dict)
    doomed: dict[str, tuple[Entry, str]] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    def of(self, *outcomes: FileOutcome) -> set[str]:
        return {source_id for source_id, outcome in self.settled.items() if outcome in outcomes}

    def fail(self, entry: Entry, error: BaseException) -> None:
        told = "%s could not be cleared, and is tried again after all others: %s: %s"
        log.warning(told, entry.place.uri, type(error).__name__, error, extra=about(entry))
        self.failed.add(entry.source.source_id)
        self.errors.append(error)

    def set_against_time(self, seconds: float) -> None:
        """Doom the file that had all the time that a file can have, for itself, and was not done."""
        for source_id, entry in self.slow.items():
            self.doomed[source_id] = (entry, f"it could not be looked through in {seconds:,.0f} seconds")
        self.slow = {}


def _side_by_side(
    act: Callable[[Entry], FileOutcome], entries: list[Entry]
) -> list[tuple[Entry, "Future[FileOutcome]"]]:
    """Act on a few entries at once, until each has ended, well or with an exception."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:  # its end waits for all
        return [(entry, pool.submit(act, entry)) for entry in entries]


def _parts(entries: list[Entry], notes: Erased) -> Iterator[list[Entry]]:
    """What is worked on side by side: many small fresh files or a large one, each slow one for itself, what failed."""
    slow = [entry for entry in entries if entry.source.source_id in notes.slow]
    failed = [entry for entry in entries if entry.source.source_id in notes.failed]
    fresh = [entry for entry in entries if entry.source.source_id not in notes.slow | notes.failed]
    yield from _slices(fresh)
    yield from ([entry] for entry in slow)
    yield from _slices(failed)


def _slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    for entry in entries:
        is_full = len(part) == PARALLEL_CALLS or sum(each.source.size for each in [*part, entry]) > _SLICE_BYTES
        if part and is_full:
            yield part
            part = []
        part.append(entry)
    if part:
        yield part
