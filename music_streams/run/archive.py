"""The last step of an execution: published inputs move to ``archive/``, never before.

Reference files are copied there and stay: every run reads them where they landed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from music_streams.aws import objects
from music_streams.aws.slices import process_slices
from music_streams.errors import ObjectGone
from music_streams.run.claim import held_entries
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def archive_sources(
    s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str, has_time: Callable[[], bool]
) -> int:
    """Archive each source that the run has published; of those that it took as empty the ledger says RETRACTED then.

    Returns:
        How many are left; where any are the step is to be entered again.
    """
    entries = held_entries(s3, ledger, manifest_uri, execution_arn)
    published = [entry for entry in entries if awaits_archiving(entry)]
    return process_slices(published, lambda entry: archive_source(s3, ledger, entry), has_time)


def awaits_archiving(entry: Entry) -> bool:
    """Whether a source whose metrics stand is not yet where it is to end."""
    return entry.status is Status.PUBLISHED or (entry.status is Status.ARCHIVED and entry.is_retracted)


def archive_source(s3: "S3Client", ledger: Ledger, entry: Entry) -> None:
    """Copy, verify, and for streams delete what was copied, then PUBLISHED → ARCHIVED (→ RETRACTED).

    A repeat after a crash finds the copy and completes the rest.

    Raises:
        ObjectGone: the source and its copy were deleted by others, and its metrics stand.
        ArchiveMismatch: the copy differs; the original stays.
    """
    key = entry.source.kept_key("archive")
    keep = objects.keep_copy if entry.source.kind.is_reference else objects.move
    if entry.status is Status.PUBLISHED:
        try:
            keep(s3, entry.place, key)
        except ObjectGone:
            if not entry.is_retracted:  # its rows are gone as well: there is nothing that needs a copy
                raise
        ledger.archive(entry, key)
    if entry.is_retracted:
        ledger.retract(entry)
