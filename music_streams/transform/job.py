"""The steps of a transform run, on any engine: classify, commit, remove, aggregate the touched days, summarize."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from music_streams.errors import NoReferenceData
from music_streams.state.removed_rows import RemovalRecords, RemovedRows
from music_streams.state.run_files import Manifest, RunFolder, SourceOutcome, Summary, malformed, write_result
from music_streams.state.sources import Treatment
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, RowsToDelete

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_s3 import S3Client

    from music_streams.reference.of_run import ReferenceResult
    from music_streams.state.run_files import ManifestSource
    from music_streams.transform.ports import Batch, Count, Lake, RowsT

log = logging.getLogger(__name__)

_MAX_OPEN_FILES = 16  # a Spark task keeps one file per day open, some MB each
_MAX_LISTED = 5  # songs files in an error message
_WITHOUT_RATIO_LIMIT = {Treatment.ACCEPT_BAD_ROWS, Treatment.ACCEPT_MANY_DAYS}


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    Attributes:
        execution: the state machine execution's name, ``<batch_id>-<attempt>``: identifies the run's commits.
        job_run_id: the Glue job run's id: names its output, so that the outputs of two job runs never mix.
        max_rejected_ratio: a file whose share of malformed rows is greater is quarantined.
        max_days_per_file: a file with listens of more days is quarantined.
    """

    folder: RunFolder
    execution: str
    job_run_id: str
    landing_bucket: str
    max_rejected_ratio: Decimal
    max_days_per_file: int
    publish_track_metrics: bool

    @property
    def has_earlier_attempt(self) -> bool:
        """Whether an earlier attempt may have committed rows of the sources."""
        return not self.execution.endswith("-1")


def process(
    s3: S3Client,
    run: RunSettings,
    manifest: Manifest,
    reference: ReferenceResult,
    batch: Batch[RowsT] | None,
    lake: Lake[RowsT],
) -> Summary:
    """Run all steps of the transform and return the summary. Each step is idempotent, so a retry can repeat them all.

    `batch` has the rows of the manifest's streams files; None if there are none.

    Raises:
        NoReferenceData: there are rows, and no usable songs row; nothing was committed.
    """
    records = RemovalRecords(s3, run.folder.bucket)
    outcomes = _classify(run, manifest, reference, batch)
    for source in manifest.quarantined:
        outcomes[source.source_id] = SourceOutcome.without_rows(verdict="too_many_attempts")
    if batch:
        _append(run, manifest, batch, lake, outcomes)
        batch.close()
    removed = _remove(records, run, manifest, lake, outcomes)
    if manifest.forget:
        lake.expire()
    for source in manifest.retracted:
        outcomes[source.source_id] = SourceOutcome.without_rows(removed.days.get(source.source_id, ()))
    days = sorted(
        {
            *manifest.days,
            *(day for outcome in outcomes.values() for day in outcome.days),
            *(day for days_of_source in removed.days.values() for day in days_of_source),
        }
    )
    forgotten = sorted(removed.days) if manifest.forget else []
    summary = Summary(run.folder.batch_id, run.execution, 0, "", [], "", outcomes, forgotten)
    if days:
        log.info("committed; days to recompute: %s", len(days))
        summary = _write_metrics(run, lake, summary, days, removed)
    write_result(s3, run.folder, run.job_run_id, summary)
    return summary


def _classify(
    run: RunSettings, manifest: Manifest, reference: ReferenceResult, batch: Batch[RowsT] | None
) -> dict[str, SourceOutcome]:
    """Return the outcome of each source."""
    if batch is None:
        return {source_id: SourceOutcome.without_rows() for source_id in manifest.source_ids} | reference.outcomes
    counts = batch.counts()
    outcomes = _outcomes(counts, manifest, run)
    for source_id in batch.unparsable():
        outcomes[source_id] = SourceOutcome.without_rows(verdict="not_csv")
    rows_read = sum(outcome.rows_read for outcome in outcomes.values())
    if rows_read and reference.pinned and reference.pinned.usable_songs == 0:
        found = "; ".join(reference.pinned.found_songs[:_MAX_LISTED]) or "there is no file"
        raise NoReferenceData(
            f"no_reference_data: no usable songs row under s3://{run.landing_bucket}/reference/songs/: {found}. "
            "Upload a songs file there, then redrive the streams files"
        )
    log.info("%s rows of %s files classified", rows_read, len(manifest.streams))
    return outcomes | reference.outcomes


def _append(
    run: RunSettings, manifest: Manifest, batch: Batch[RowsT], lake: Lake[RowsT], outcomes: dict[str, SourceOutcome]
) -> None:
    """Commit the rows of the accepted sources, rejected rows first."""
    accepted_ids = [source.source_id for source in manifest.streams if outcomes[source.source_id].verdict is None]
    if any(outcomes[source_id].rejected for source_id in accepted_ids):
        # Rejected rows are partitioned by the day of arrival: today for new files, any day for later attempts.
        arrival_days = {source.received_at[:10] for source in manifest.streams}
        few_days = len(arrival_days) <= _MAX_OPEN_FILES
        lake.append(REJECTED_ROWS, batch.rejected(accepted_ids), run.execution, few_days=few_days)
    if any(outcomes[source_id].rows_accepted for source_id in accepted_ids):
        listen_days = {day for source_id in accepted_ids for day in outcomes[source_id].days}
        few_days = len(listen_days) <= _MAX_OPEN_FILES
        lake.append(LISTENS, batch.accepted(accepted_ids), run.execution, few_days=few_days)


def _remove(
    records: RemovalRecords, run: RunSettings, manifest: Manifest, lake: Lake[RowsT], outcomes: dict[str, SourceOutcome]
) -> RemovedRows:
    """Delete older copies, rows of quarantined sources and of users to forget, each recorded before it is deleted.

    Returns what all job runs of this execution, and of the failed executions before it, have removed.
    """
    to_delete = RowsToDelete(
        run.execution,
        older=manifest.source_ids if run.has_earlier_attempt else [],
        # Usually none exist, but an earlier attempt or job run may have accepted the source.
        quarantined=[source.source_id for source in manifest.with_listens if outcomes[source.source_id].verdict],
        users=manifest.forget,
    )
    # Repeat until no such rows are found: other runs may add rows of a user during the deletion.
    for number in itertools.count():
        if not to_delete or not (found := lake.find(to_delete)):
            break
        name = f"{run.job_run_id}-{number}"
        tracks = records.tracks_uri(run.execution, name) if run.publish_track_metrics else None
        if tracks:
            lake.write_tracks(to_delete, found, tracks)
        records.write(run.execution, name, found.days, tracks)
        lake.delete(to_delete, found)
    removed = records.read(run.execution)
    if not manifest.forget:
        # The batch of a failed attempt may have had other sources too, which are not part of this run.
        removed.days = {source_id: removed.days[source_id] for source_id in outcomes if source_id in removed.days}
    return removed


def _write_metrics(
    run: RunSettings, lake: Lake[RowsT], summary: Summary, days: list[str], removed: RemovedRows
) -> Summary:
    """Write the metrics of the days from one snapshot, and return the summary with its version and their location."""
    pinned, metrics_folder = lake.pin(), f"metrics/{run.job_run_id}"
    tracks = removed.tracks if run.publish_track_metrics else None
    lake.write_metrics(pinned, days, tracks, run.folder.uri(metrics_folder))
    log.info("metrics written at version %s", pinned.version)
    return replace(summary, version=pinned.version, lake_uuid=pinned.uuid, days=days, metrics=metrics_folder)


def _outcomes(counts: Iterable[Count], manifest: Manifest, run: RunSettings) -> dict[str, SourceOutcome]:
    """Return the outcome of each source from the rows of :func:`~music_streams.transform.spark.listens.counts`."""
    rejected: dict[str, Counter[str]] = {source_id: Counter() for source_id in manifest.source_ids}
    by_day: dict[str, Counter[str]] = {source_id: Counter() for source_id in manifest.source_ids}
    for row in counts:
        if row["reason"] is None:
            by_day[row["source_id"]][row["day"]] += row["count"]
        else:
            rejected[row["source_id"]][row["reason"]] += row["count"]
    return {
        source.source_id: _outcome(run, source, by_day[source.source_id], rejected[source.source_id])
        for source in manifest.sources
    }


def _outcome(run: RunSettings, source: ManifestSource, by_day: Counter[str], rejected: Counter[str]) -> SourceOutcome:
    """Return the outcome of a source. After a release, one limit or both no longer apply to it."""
    rows_accepted = by_day.total()
    rows_read = rows_accepted + rejected.total()
    malformed_rows = sum(malformed(rejected).values())
    if source.treatment not in _WITHOUT_RATIO_LIMIT and malformed_rows > run.max_rejected_ratio * rows_read:
        return SourceOutcome(rows_read, 0, dict(rejected), [], "too_many_bad_rows")
    if source.treatment != Treatment.ACCEPT_MANY_DAYS and len(by_day) > run.max_days_per_file:
        return SourceOutcome(rows_read, 0, dict(rejected), [], "too_many_days")
    return SourceOutcome(rows_read, rows_accepted, dict(rejected), sorted(by_day))
