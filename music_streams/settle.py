"""After the jobs: the ledger takes what became of each source, and who listens for `MetricsPublished` learns of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from music_streams.claim import held_entries
from music_streams.errors import RunIsOver
from music_streams.ledger import Ledger, Status
from music_streams.quarantine import Quarantine
from music_streams.runs import RunFolder, SourceOutcome, read_summary
from music_streams.verdicts import Verdict

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Settlement:
    """Publishes or quarantines the sources of a run."""

    s3: "S3Client"
    ledger: Ledger
    quarantine: Quarantine

    def settle(self, manifest_uri: str, execution_arn: str) -> dict[str, Any]:
        """Move each source RUNNING → PUBLISHED, or → QUARANTINED where too many of its rows are bad.

        Raises:
            RunIsOver: the execution had been recorded as failed before it was taken up again.

        Returns:
            The detail of the run's `MetricsPublished` event: batch_id, version, days, sources, rows_accepted.
        """
        summary = read_summary(self.s3, RunFolder.of_manifest(manifest_uri))
        entries = held_entries(self.s3, self.ledger, manifest_uri, execution_arn)
        if any(entry.status is Status.FAILED for entry in entries):
            raise RunIsOver(f"{execution_arn} was recorded as failed and cannot go on: put its inputs again")
        for entry in entries:
            outcome = summary.sources[entry.source.source_id]
            if entry.status is Status.RUNNING and outcome.verdict:
                self.quarantine.take(entry, Verdict(outcome.verdict), _counted(outcome), outcome)
            elif entry.status is Status.RUNNING:
                self.ledger.publish(entry, outcome)
            elif entry.status is Status.QUARANTINED:
                self.quarantine.finish(entry)
        accepted = [outcome for outcome in summary.sources.values() if not outcome.verdict]
        return {
            "batch_id": summary.batch_id,
            "version": summary.version,
            "days": summary.days,
            "sources": len(accepted),
            "rows_accepted": sum(outcome.rows_accepted for outcome in accepted),
        }


def _counted(outcome: SourceOutcome) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(outcome.rejected.items()))
    return f"of {outcome.rows_read} rows read these were rejected: {reasons}"
