"""The last step of an execution: moves published files to ``archive/``.

Reference files are copied and stay at their landing keys, because every run reads them there.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from music_streams.aws import objects
from music_streams.aws.slices import process_slices
from music_streams.errors import ObjectGone
from music_streams.run.claim import claimed_entries
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def archive_sources(
    s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str, has_time: Callable[[], bool]
) -> int:
    """Archive each source that the run has published; change those that it retracted to RETRACTED.

    Returns:
        The number of sources that remain; if any do, the state machine repeats the step.
    """
    entries = claimed_entries(s3, ledger, manifest_uri, execution_arn)
    published = [entry for entry in entries if awaits_archiving(entry)]
    return process_slices(published, lambda entry: archive_source(s3, ledger, entry), has_time)


def awaits_archiving(entry: Entry) -> bool:
    """Return whether a published source has not reached ARCHIVED, or RETRACTED if it is to be retracted."""
    return entry.status is Status.PUBLISHED or (entry.status is Status.ARCHIVED and entry.is_retracted)


def archive_source(s3: "S3Client", ledger: Ledger, entry: Entry) -> None:
    """Copy the file, verify the copy, delete a streams file's original, and change its status to ARCHIVED or RETRACTED.

    Idempotent: a retry after a crash finds the copy and completes the rest.

    Raises:
        ObjectGone: the file and its copy were deleted outside the pipeline; its metrics stay published.
        ArchiveMismatch: the copy differs; the original stays.
    """
    key = entry.source.kept_key("archive")
    keep = objects.copy_and_verify if entry.source.kind.is_reference else objects.move
    if entry.status is Status.PUBLISHED:
        try:
            keep(s3, entry.place, key)
        except ObjectGone:
            if not entry.is_retracted:  # No row of a retracted file counts, so it needs no copy.
                raise
        ledger.mark_archived(entry, key)
    if entry.is_retracted:
        ledger.mark_retracted(entry)
