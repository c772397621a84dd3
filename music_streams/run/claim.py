"""The first step of an execution: claims the sources of its manifest, without those that another batch holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams.aws.slices import process_slices
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import Manifest, RunFolder, read_claimed, read_manifest, write_claimed
from music_streams.state.sizing import Bounds, workers_for
from music_streams.state.sources import batch_and_attempt, execution_name
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Claim:
    """The result of the step.

    Attributes:
        left: the number of sources that remain to claim; if any do, the state machine repeats the step.
        has_work: whether the run holds a source, or has days to rebuild or users to forget.
        forgets: whether it has users to forget.
        workers: with how many workers the transform job starts.
    """

    left: int
    has_work: bool
    forgets: bool
    workers: int = 0


def claim_sources(
    s3: "S3Client",
    ledger: Ledger,
    manifest_uri: str,
    execution_arn: str,
    has_time: Callable[[], bool],
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
) -> Claim:
    """Change the manifest's sources from VALID to RUNNING; when none is left, write the list of claimed sources.

    Idempotent: a retry by the same execution counts the sources that are RUNNING for it as claimed.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    manifest = read_manifest(s3, folder)
    treatments = {source.source_id: source.treatment for source in manifest.sources}
    claimable = [
        entry
        for entry in ledger.entries(manifest.source_ids).values()
        # Two concurrent requests write the same manifest, and the ledger accepts one. If the other wrote it last, the
        # treatments differ: skip these sources.
        if entry.status is Status.VALID and entry.treatment == treatments[entry.source.source_id]
    ]
    left = process_slices(claimable, lambda entry: ledger.mark_running(entry, execution_arn), has_time)
    if left:
        return Claim(left, has_work=True, forgets=False)
    claimed = manifest.only({entry.source.source_id for entry in _claimed(execution_arn, ledger, manifest)})
    write_claimed(s3, folder, execution_name(*batch_and_attempt(execution_arn)), claimed)
    return Claim(
        0,
        has_work=bool(claimed.sources or claimed.days or claimed.forget),
        forgets=bool(claimed.forget),
        workers=workers_for(claimed, bounds),
    )


def claimed_entries(s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str) -> list[Entry]:
    """Return the entries of the sources that this execution claimed and that have no later attempt, in any status."""
    execution = execution_name(*batch_and_attempt(execution_arn))
    return _claimed(execution_arn, ledger, read_claimed(s3, RunFolder.of_manifest(manifest_uri), execution))


def _claimed(execution_arn: str, ledger: Ledger, manifest: Manifest) -> list[Entry]:
    entries = ledger.entries(manifest.source_ids)
    return [entry for entry in entries.values() if entry.execution_arn == execution_arn]
