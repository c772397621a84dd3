"""Groups pending sources into batches: stages them, writes the manifest and changes their status to VALID."""

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
from music_streams.state.removed_rows import RemovalRecords
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, write_manifest
from music_streams.state.sources import Treatment, batch_id_of, execution_name
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import REQUIRED_COLUMNS, Validation

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PendingSource:
    """A source that waits for its batch. One that adds no rows (retract, put_aside) is not validated."""

    entry: Entry
    treatment: Treatment = Treatment.NORMAL
    validation: Validation = field(default_factory=lambda: Validation(None))

    @property
    def is_new(self) -> bool:
        """Whether this is the first attempt."""
        return self.entry.status is Status.RECEIVED

    @property
    def runs_alone(self) -> bool:
        """Whether its second or a later attempt failed: then it gets a batch of its own."""
        return self.entry.status is Status.FAILED and self.entry.attempt >= policy.ALONE_AFTER_ATTEMPTS

    @property
    def needs_staging(self) -> bool:
        """Whether Spark reads a staged copy of it."""
        return not self.entry.source.kind.is_reference and self.treatment.adds_rows

    @property
    def failed_execution(self) -> str:
        """The name of the execution of its last attempt if that failed, else ''."""
        has_run = self.entry.status is Status.FAILED and self.entry.batch_id
        return execution_name(self.entry.batch_id, self.entry.attempt) if has_run else ""

    @property
    def manifest_source(self) -> ManifestSource:
        """Its element in the manifest, without the names of columns that the run does not need: they may be huge."""
        source, needed = self.entry.source, REQUIRED_COLUMNS[self.entry.source.kind]
        name = source.source_id + (".csv.gz" if self.validation.is_gzip else ".csv")
        header = [column if column in needed else "" for column in self.validation.header] if self.needs_staging else []
        return ManifestSource(
            source.source_id, source.kind, name, header, source.received_at, source.size, self.treatment
        )


def groups(sources: Collection[PendingSource]) -> list[list[PendingSource]]:
    """Return the batches: one of new sources, one of new attempts, and one for each source that runs alone."""
    new = [source for source in sources if source.is_new]
    retried = [source for source in sources if not (source.is_new or source.runs_alone)]
    alone = [[source] for source in sources if source.runs_alone]
    return [group for group in (new, retried, *alone) if group]


def record_unavailable(ledger: Ledger, entry: Entry, error: ObjectGone | Unreadable) -> None:
    """Log why the bytes of a file cannot be read; if it is RECEIVED, change it to FAILED with that reason."""
    log.warning("%s", error, extra={"source_id": entry.source.source_id})
    if entry.status is Status.RECEIVED:
        ledger.fail_claimed(entry, OBJECT_GONE if isinstance(error, ObjectGone) else UNREADABLE)


@dataclass(frozen=True)
class Batches:
    """Creates the batches of runs."""

    s3: "S3Client"
    ledger: Ledger
    lake_bucket: str

    def prepare(self, group: list[PendingSource]) -> set[tuple[str, int]]:
        """Stage the files of a group, write their manifest and change their status to VALID.

        Returns:
            batch_id and attempt of the run to start; empty if no file can be read any more.
        """
        group = self._stage(group)
        if not group:
            return set()
        batch_id = batch_id_of(pending.entry.source.source_id for pending in group)
        attempt = max(pending.entry.attempt + (not pending.is_new) for pending in group)
        sources = sorted((pending.manifest_source for pending in group), key=lambda source: source.source_id)
        write_manifest(self.s3, RunFolder(self.lake_bucket, batch_id), Manifest(batch_id, sources))
        for failed in sorted({pending.failed_execution for pending in group if pending.failed_execution}):
            # The failed execution may have removed rows without recomputing their days.
            RemovalRecords(self.s3, self.lake_bucket).write_failed_attempt(execution_name(batch_id, attempt), failed)
        for pending in group:
            if pending.is_new:
                has_changed = self.ledger.mark_valid(pending.entry, batch_id)
            else:
                has_changed = self.ledger.renew(pending.entry, batch_id, attempt, pending.treatment)
            if not has_changed:
                ids = {"source_id": pending.entry.source.source_id, "batch_id": batch_id}
                log.warning("the run skips %s: its status has changed", pending.entry.source.uri, extra=ids)
        return {(batch_id, attempt)}

    def _stage(self, group: list[PendingSource]) -> list[PendingSource]:
        """Copy the files to the run's folder, and return their sources: Spark reads neither versions nor every key.

        A file that cannot be copied is left out (a new one is FAILED); the others become a batch with its own folder.
        """
        folder = RunFolder(self.lake_bucket, batch_id_of(pending.entry.source.source_id for pending in group))

        def is_copied(pending: PendingSource) -> bool:
            if pending.needs_staging:
                key = folder.key(f"input/{pending.manifest_source.input}")
                try:
                    objects.copy(self.s3, pending.entry.place, folder.bucket, key)
                except (ObjectGone, Unreadable) as error:
                    record_unavailable(self.ledger, pending.entry, error)
                    return False
            return True

        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            copied = list(pool.map(is_copied, group))
        left = [pending for pending, is_done in zip(group, copied, strict=True) if is_done]
        return group if all(copied) else self._stage(left) if left else []
