"""Sources that were taken become runs: grouped, staged, listed in a manifest, VALID."""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from music_streams import policy
from music_streams.aws import objects
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.errors import ObjectGone, Unreadable
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry, Ledger
from music_streams.state.removed_rows import Removals
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, write_manifest
from music_streams.state.sources import Treatment, batch_id_of, execution_name
from music_streams.state.statuses import Status
from music_streams.validation.verdicts import REQUIRED_COLUMNS, Validation

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PendingSource:
    """A source that waits for its batch; one that is to be retracted was not judged."""

    entry: Entry
    treatment: Treatment = Treatment.NORMAL
    validation: Validation = field(default_factory=lambda: Validation(None))

    @property
    def is_new(self) -> bool:
        """Whether it is its first attempt."""
        return self.entry.status is Status.RECEIVED

    @property
    def runs_alone(self) -> bool:
        """Whether it fails again and again."""
        return self.entry.status is Status.FAILED and self.entry.attempt >= policy.ALONE_AFTER_ATTEMPTS

    @property
    def is_staged(self) -> bool:
        """Whether Spark reads a copy of it."""
        return not self.entry.source.kind.is_reference and self.treatment.adds_rows

    @property
    def follows(self) -> str:
        """The name of the execution that failed over it; '' where none did."""
        has_run = self.entry.status is Status.FAILED and self.entry.batch_id
        return execution_name(self.entry.batch_id, self.entry.attempt) if has_run else ""

    @property
    def listed(self) -> ManifestSource:
        """How the manifest lists it; the names of columns that the run does not need could be long and many."""
        source, needed = self.entry.source, REQUIRED_COLUMNS[self.entry.source.kind]
        name = source.source_id + (".csv.gz" if self.validation.is_gzip else ".csv")
        header = [column if column in needed else "" for column in self.validation.header] if self.is_staged else []
        return ManifestSource(
            source.source_id, source.kind, name, header, source.received_at, source.size, self.treatment
        )


def groups(taken: Collection[PendingSource]) -> list[list[PendingSource]]:
    """What runs together: new sources; further attempts; each that fails again and again by itself."""
    new = [each for each in taken if each.is_new]
    again = [each for each in taken if not (each.is_new or each.runs_alone)]
    alone = [[each] for each in taken if each.runs_alone]
    return [group for group in (new, again, *alone) if group]


def record_loss(ledger: Ledger, entry: Entry, error: ObjectGone | Unreadable) -> None:
    """Log why the bytes of a file cannot be had; the ledger says so too, unless it had come further."""
    log.warning("%s", error, extra={"source_id": entry.source.source_id})
    if entry.status is Status.RECEIVED:
        ledger.mark_object_gone(entry, OBJECT_GONE if isinstance(error, ObjectGone) else UNREADABLE)


@dataclass(frozen=True)
class Batches:
    """Makes runs."""

    s3: "S3Client"
    ledger: Ledger
    lake_bucket: str

    def make_valid(self, group: list[PendingSource]) -> set[tuple[str, int]]:
        """Stage the files of a group, write their manifest, move them to VALID.

        Returns:
            batch_id and attempt of the run to start; empty where every file was deleted meanwhile.
        """
        group = self._staged(group)
        if not group:
            return set()
        batch_id = batch_id_of(taken.entry.source.source_id for taken in group)
        attempt = max(taken.entry.attempt + (not taken.is_new) for taken in group)
        listed = sorted((taken.listed for taken in group), key=lambda each: each.source_id)
        write_manifest(self.s3, RunFolder(self.lake_bucket, batch_id), Manifest(batch_id, listed))
        for failed in sorted({taken.follows for taken in group if taken.follows}):
            # It may have removed rows of days that it did not come to recompute.
            Removals(self.s3, self.lake_bucket).follow(execution_name(batch_id, attempt), failed)
        for taken in group:
            if taken.is_new:
                is_moved = self.ledger.validate(taken.entry, batch_id)
            else:
                is_moved = self.ledger.renew(taken.entry, batch_id, attempt, taken.treatment)
            if not is_moved:
                ids = {"source_id": taken.entry.source.source_id, "batch_id": batch_id}
                log.warning("%s was moved by others: the run will drop it", taken.entry.source.uri, extra=ids)
        return {(batch_id, attempt)}

    def _staged(self, group: list[PendingSource]) -> list[PendingSource]:
        """Copy the files to where Spark reads them: it sees neither versions nor all names.

        A version that was deleted, or cannot be read, in the meantime is lost; the others make a smaller batch, with a
        folder of its own.
        """
        folder = RunFolder(self.lake_bucket, batch_id_of(taken.entry.source.source_id for taken in group))

        def is_copied(taken: PendingSource) -> bool:
            if taken.is_staged:
                try:
                    objects.copy(self.s3, taken.entry.place, folder.bucket, folder.key(f"input/{taken.listed.input}"))
                except (ObjectGone, Unreadable) as error:
                    record_loss(self.ledger, taken.entry, error)
                    return False
            return True

        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            copied = list(pool.map(is_copied, group))
        left = [taken for taken, done in zip(group, copied, strict=True) if done]
        return group if all(copied) else self._staged(left) if left else []
