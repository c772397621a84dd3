"""The first step of an execution: take the manifest's sources for this run; what another batch holds drops out."""

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
    """How far the claim has come.

    Attributes:
        left: sources still to be looked at; where any are the step is to be entered again.
        has_work: whether the run holds a source, or is to recompute or forget something.
        forgets: whether lines are to leave the kept files.
        workers: how many the transform's run is started with.
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
    """Move the manifest's sources VALID → RUNNING and, when all were looked at, write down what is held.

    A repeat within the same execution finds them RUNNING for it and counts them as claimed.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    manifest = read_manifest(s3, folder)
    treatments = {source.source_id: source.treatment for source in manifest.sources}
    waiting = [
        entry
        for entry in ledger.entries(manifest.source_ids).values()
        # Another treatment: of two operators at once the one lost, but wrote his manifest last. A redrive begins anew.
        if entry.status is Status.VALID and entry.treatment == treatments[entry.source.source_id]
    ]
    left = process_slices(waiting, lambda entry: ledger.run(entry, execution_arn), has_time)
    if left:
        return Claim(left, has_work=True, forgets=False)
    held = manifest.only({entry.source.source_id for entry in _of(execution_arn, ledger, manifest)})
    write_claimed(s3, folder, execution_name(*batch_and_attempt(execution_arn)), held)
    return Claim(
        0,
        has_work=bool(held.sources or held.days or held.forget),
        forgets=bool(held.forget),
        workers=workers_for(held, bounds),
    )


def held_entries(s3: "S3Client", ledger: Ledger, manifest_uri: str, execution_arn: str) -> list[Entry]:
    """The ledger entries of the sources that this execution took and still has."""
    execution = execution_name(*batch_and_attempt(execution_arn))
    return _of(execution_arn, ledger, read_claimed(s3, RunFolder.of_manifest(manifest_uri), execution))


def _of(execution_arn: str, ledger: Ledger, manifest: Manifest) -> list[Entry]:
    entries = ledger.entries(manifest.source_ids)
    return [entry for entry in entries.values() if entry.execution_arn == execution_arn]
