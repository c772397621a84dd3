"""The step after the jobs: records the outcome of each source in the ledger and sends `MetricsPublished`.

The event is sent before the archive step, so that a failure to archive does not delay consumers.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from music_streams import display
from music_streams.aws.slices import process_slices
from music_streams.aws.telemetry import Metric, Telemetry
from music_streams.cost.run import costs_by_source
from music_streams.errors import EventRefused, RunIsOver
from music_streams.run import left_out
from music_streams.run.claim import claimed_entries
from music_streams.run.quarantine import Quarantine
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import (
    LoadReport,
    RunFolder,
    SourceOutcome,
    Summary,
    find_load_report,
    find_pinned_reference,
    find_summary,
    malformed,
    read_claimed,
    read_result,
    write_summary,
)
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Verdict

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client

# An event is limited to 256 KB: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
DAYS_PER_EVENT = 5_000
_DETAILS = {
    Verdict.NOT_CSV: "it passed validation, but could not be parsed",
    Verdict.TOO_MANY_DAYS: "its listens cover more days than MaxDaysPerFile, and each day would be recomputed",
    Verdict.TOO_MANY_ATTEMPTS: "its attempts failed repeatedly, and other files were published in between",
}


@dataclass(frozen=True)
class Settlement:
    """Publishes or quarantines the sources of a run.

    Attributes:
        max_rejected_ratio: the limit of the share of malformed rows, for messages; the run has applied it.
    """

    s3: "S3Client"
    events: "EventBridgeClient"
    ledger: Ledger
    quarantine: Quarantine
    max_rejected_ratio: float
    telemetry: Telemetry = field(default_factory=Telemetry)

    def settle(
        self,
        manifest_uri: str,
        execution_arn: str,
        job_run_id: str,
        has_time: Callable[[], bool],
        job_runs: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Change each RUNNING source to PUBLISHED, or to QUARANTINED if the run rejected it; then send the event.

        `job_run_id` is the transform's job run whose metrics were loaded. `job_runs` are the runs of both jobs as Glue
        describes them; without them no costs are recorded.

        Raises:
            RunIsOver: the execution continued after it was recorded as failed.
            EventRefused: EventBridge rejected the event; a retry sends it again.

        Returns:
            The number of sources that remain; if any do, the state machine repeats the step.
        """
        folder = RunFolder.of_manifest(manifest_uri)
        summary = read_result(self.s3, folder, job_run_id)
        entries = claimed_entries(self.s3, self.ledger, manifest_uri, execution_arn)
        outcomes = summary.sources
        if any(e.status is Status.FAILED and e.reason != outcomes[e.source.source_id].failure for e in entries):
            raise RunIsOver(f"{execution_arn} was recorded as failed and cannot continue: run music-streams redrive")
        running = [entry for entry in entries if entry.status is Status.RUNNING]
        costs = self._costs(folder, summary, job_runs)
        pinned = find_pinned_reference(self.s3, folder, summary.execution)
        songs_digest = pinned.songs_digest if pinned else ""

        def settle_source(entry: Entry) -> None:
            outcome, cost = outcomes[entry.source.source_id], costs.get(entry.source.source_id)
            if outcome.failure:
                self.ledger.mark_failed(entry, execution_arn, outcome.failure)
            elif outcome.verdict:
                verdict = Verdict(outcome.verdict)
                self.quarantine.add(entry, verdict, self._detail(verdict, outcome), outcome, cost)
            else:
                self.ledger.mark_published(entry, outcome, cost, songs_digest)

        try:
            remaining = process_slices(running, settle_source, has_time)
            if remaining == 0:
                for entry in entries:
                    if entry.status is Status.QUARANTINED:
                        self.quarantine.finish(entry)
        finally:
            self.quarantine.flush()
        if remaining == 0:
            report = find_load_report(self.s3, folder, job_run_id)
            was_settled_before = find_summary(self.s3, folder) == summary
            if not was_settled_before:
                left_out.report(self.ledger, self.quarantine.alerts, summary, pinned, entries)
            write_summary(self.s3, folder, summary)
            claimed = read_claimed(self.s3, folder, summary.execution)
            accepted = [outcome for outcome in outcomes.values() if not (outcome.verdict or outcome.failure)]
            rows = _Rows.of(outcomes[source.source_id] for source in claimed.with_listens)
            if not was_settled_before:
                self._record_metrics(summary, rows, report)
            self._send_events(summary, len(accepted), rows.accepted)
        return remaining

    def _costs(self, folder: RunFolder, summary: Summary, job_runs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Return the cost of each source by source_id. A retry returns the same, for the same job runs and sources."""
        if not job_runs:
            return {}
        return costs_by_source(job_runs, read_claimed(self.s3, folder, summary.execution), summary)

    def _record_metrics(self, summary: Summary, rows: "_Rows", report: LoadReport | None) -> None:
        """Record the CloudWatch metrics of the run."""
        if rows.read:
            self.telemetry.record(Metric.REJECTED_ROW_RATIO, (rows.read - rows.accepted) / rows.read)
        self.telemetry.record(Metric.DAYS_RECOMPUTED, len(summary.days))
        if report:  # A load job of an earlier version writes no report.
            self.telemetry.record(Metric.ITEMS_WRITTEN, report.items_written)
            self.telemetry.record(Metric.ITEMS_REFUSED, report.items_refused)

    def _send_events(self, summary: Summary, sources: int, rows_accepted: int) -> None:
        """Send `MetricsPublished`, in several events if there are more than DAYS_PER_EVENT days."""
        for start in range(0, max(1, len(summary.days)), DAYS_PER_EVENT):
            detail = {
                "batch_id": summary.batch_id,
                "version": summary.version,
                "days": summary.days[start : start + DAYS_PER_EVENT],
                "sources": sources,
                "rows_accepted": rows_accepted,
            }
            text = json.dumps(detail)
            response = self.events.put_events(
                Entries=[{"Source": "music-streams", "DetailType": "MetricsPublished", "Detail": text}]
            )
            if response["FailedEntryCount"]:
                raise EventRefused(
                    f"EventBridge rejected MetricsPublished of batch {summary.batch_id}: {response['Entries']}"
                )

    def _detail(self, verdict: Verdict, outcome: SourceOutcome) -> str:
        if verdict in _DETAILS:
            return _DETAILS[verdict]
        counted = malformed(outcome.rejected)
        others = {reason: count for reason, count in outcome.rejected.items() if reason not in counted}
        count = sum(counted.values())
        limit = f"{count / outcome.rows_read:.1%}, limit {self.max_rejected_ratio:.1%}"
        text = f"{count:,} of {outcome.rows_read:,} rows are malformed ({limit}): {display.counts(counted)}"
        return f"{text}; rejected and not malformed: {display.counts(others)}" if others else text


@dataclass(frozen=True)
class _Rows:
    """The rows of the streams files that a run published."""

    read: int
    accepted: int

    @classmethod
    def of(cls, outcomes: Iterable[SourceOutcome]) -> "_Rows":
        published = [outcome for outcome in outcomes if not outcome.verdict]
        return cls(sum(each.rows_read for each in published), sum(each.rows_accepted for each in published))
