"""The first step of an execution: take the manifest's sources for this run; what another batch holds drops out."""

from typing import TYPE_CHECKING

from music_streams.ledger import Entry, Ledger, Status
from music_streams.runs import RunFolder, read_manifest, write_manifest

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def claim_sources(s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str) -> int:
    """Move the manifest's sources VALID → RUNNING and leave only those in the manifest.

    A repeat within the same execution finds them RUNNING for it and counts them as claimed.

    Returns:
        How many sources the run holds; 0 means that there is nothing to do.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    manifest = read_manifest(s3, folder)
    held = {source_id for source_id in manifest.source_ids if _hold(ledger, source_id, execution_arn)}
    if held != set(manifest.source_ids):
        write_manifest(s3, folder, manifest.only(held))
    return len(held)


def held_entries(s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str) -> list[Entry]:
    """The ledger entries of the manifest's sources that this execution took."""
    manifest = read_manifest(s3, RunFolder.of_manifest(manifest_uri))
    entries = map(ledger.entry, manifest.source_ids)
    return [entry for entry in entries if entry and entry.execution_arn == execution_arn]


def _hold(ledger: Ledger, source_id: str, execution_arn: str) -> bool:
    entry = ledger.entry(source_id)
    if entry is None:
        return False
    is_ours_already = entry.status is Status.RUNNING and entry.execution_arn == execution_arn
    return is_ours_already or ledger.run(entry, execution_arn)
