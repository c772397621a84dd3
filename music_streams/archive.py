"""The last step of an execution: published inputs move from ``incoming/`` to ``archive/``, never before.

Reference files are copied there and stay: every run reads them where they landed.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from music_streams import objects
from music_streams.aws import PARALLEL_CALLS
from music_streams.claim import held_entries
from music_streams.ledger import Entry, Ledger, Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def archive_sources(s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str) -> int:
    """Copy, verify, and for streams delete each PUBLISHED version of the run, then PUBLISHED → ARCHIVED.

    A repeat after a crash finds the copy and completes the rest.

    Returns:
        How many sources were archived now.
    """

    def archive(entry: Entry) -> None:
        key = entry.source.kept_key("archive")
        keep = objects.keep_copy if entry.source.kind.is_reference else objects.move
        keep(s3, entry.source, key)
        ledger.archive(entry, key)

    entries = held_entries(s3, ledger, manifest_uri, execution_arn)
    published = [entry for entry in entries if entry.status is Status.PUBLISHED]
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        return len(list(pool.map(archive, published)))
