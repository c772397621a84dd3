"""The steps of a transform run, on any engine: classify, commit, remove, aggregate the touched days, summarize."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from music_streams.errors import NoReferenceData
from music_streams.state.removed_rows import Removals, Removed
from music_streams.state.run_files import NOT_MALFORMED, Manifest, RunFolder, SourceOutcome, Summary, write_result
from music_streams.state.sources import Treatment
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, RowsToDelete

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_s3 import S3Client

    from music_streams.state.run_files import ManifestSource
    from music_streams.transform.ports import Batch, Count, Lake, RowsT

log = logging.getLogger(__name__)

_FEW_DAYS = 16  # a task keeps one file a day open, some MB each
_ANY_RATIO = {Treatment.ACCEPT_BAD_ROWS, Treatment.ACCEPT_MANY_DAYS}


@dataclass(frozen=True)
class TransformRun:
    """The settings of a run.

    Attributes:
        execution: the state machine execution's name, ``<batch_id>-<attempt>``: identifies the run's commits.
        run_id: the Glue job run's id: names its output, so that the outputs of two job runs never mix.
        max_rejected_ratio: a file whose share of malformed rows is greater is quarantined.
        max_days_per_file: a file with listens of more days is quarantined.
    """

    folder: RunFolder
    execution: str
    run_id: str
    landing_bucket: str
    max_rejected_ratio: Decimal
    max_days_per_file: int
    publish_track_metrics: bool

    @property
    def is_repeat(self) -> bool:
        """Whether the sources may have been committed by an earlier attempt."""
        return not self.execution.endswith("-1")


def process(
    s3: S3Client, task: TransformRun, manifest: Manifest, batch: Batch[RowsT] | None, lake: Lake[RowsT]
) -> Summary:
    """Run all steps in order; if a run dies after any of them, it can be repeated.

    `batch` has the rows of the manifest's streams files; None if there are none.

    Raises:
        NoReferenceData: there is no valid songs row; nothing was committed.
    """
    removals = Removals(s3, task.folder.bucket)
    outcomes = _classify(task, manifest, batch)
    for source in manifest.put_aside:
        outcomes[source.source_id] = SourceOutcome(0, 0, {}, [], "too_many_attempts")
    if batch:
        _append(task, manifest, batch, lake, outcomes)
        batch.close()
    removed = _remove(removals, task, manifest, lake, outcomes)
    if manifest.forget:
        lake.expire()
    for source in manifest.retracted:
        outcomes[source.source_id] = SourceOutcome(0, 0, {}, sorted(removed.days.get(source.source_id, ())))
    days = sorted(
        {
            *manifest.days,
            *(day for outcome in outcomes.values() for day in outcome.days),
            *(day for of_source in removed.days.values() for day in of_source),
        }
    )
    forgotten = sorted(removed.days) if manifest.forget else []
    summary = Summary(task.folder.batch_id, task.execution, 0, "", [], "", outcomes, forgotten)
    if days:
        log.info("committed; days to recompute: %s", len(days))
        summary = _measure(task, lake, summary, days, removed)
    write_result(s3, task.folder, task.run_id, summary)
    return summary


def _classify(task: TransformRun, manifest: Manifest, batch: Batch[RowsT] | None) -> dict[str, SourceOutcome]:
    """Return the outcome of each source."""
    if batch is None:
        return {source_id: SourceOutcome(0, 0, {}, []) for source_id in manifest.source_ids}
    counts = batch.counts()
    outcomes = _outcomes(counts, manifest, task)
    for source_id in batch.unreadable():
        outcomes[source_id] = SourceOutcome(0, 0, {}, [], "not_csv")
    if not any(outcome.rows_accepted for outcome in outcomes.values()) and not batch.has_reference():
        raise NoReferenceData(
            f"no_reference_data: no valid songs row under s3://{task.landing_bucket}/reference/songs/: "
            "put a songs file there, then redrive the streams files"
        )
    log.info("%s rows of %s files classified", sum(o.rows_read for o in outcomes.values()), len(manifest.streams))
    return outcomes


def _append(
    task: TransformRun, manifest: Manifest, batch: Batch[RowsT], lake: Lake[RowsT], outcomes: dict[str, SourceOutcome]
) -> None:
    """Commit the rows of the accepted sources, rejected rows first."""
    kept = [source_id for source_id, outcome in outcomes.items() if outcome.verdict is None]
    if any(outcomes[source_id].rejected for source_id in kept):
        # They are partitioned by the day of arrival: today for new files, any day for those of a rebuild.
        arrivals = {source.received_at[:10] for source in manifest.streams}
        lake.append(REJECTED_ROWS, batch.rejected(kept), task.execution, few_days=len(arrivals) <= _FEW_DAYS)
    if any(outcomes[source_id].rows_accepted for source_id in kept):
        days = {day for source_id in kept for day in outcomes[source_id].days}
        lake.append(LISTENS, batch.accepted(kept), task.execution, few_days=len(days) <= _FEW_DAYS)


def _remove(
    removals: Removals, task: TransformRun, manifest: Manifest, lake: Lake[RowsT], outcomes: dict[str, SourceOutcome]
) -> Removed:
    """Delete older copies, rows of refused sources and of users to forget, each recorded before it is removed."""
    to_delete = RowsToDelete(
        task.execution,
        older=manifest.source_ids if task.is_repeat else [],
        # Usually none exist, but an earlier attempt or job run may have accepted the source.
        refused=[source_id for source_id, outcome in outcomes.items() if outcome.verdict],
        users=manifest.forget,
    )
    # Repeat until none are found: other runs may add rows of a user during the deletion.
    for number in itertools.count():
        if not to_delete or not (found := lake.find(to_delete)):
            break
        name = f"{task.run_id}-{number}"
        tracks = removals.tracks_uri(task.execution, name) if task.publish_track_metrics else None
        if tracks:
            lake.write_tracks(to_delete, found, tracks)
        removals.note(task.execution, name, found.days, tracks)
        lake.delete(to_delete, found)
    removed = removals.of(task.execution)
    if not manifest.forget:
        # A failed attempt may have had other sources too, which are not part of this run.
        removed.days = {source_id: removed.days[source_id] for source_id in outcomes if source_id in removed.days}
    return removed


def _measure(task: TransformRun, lake: Lake[RowsT], summary: Summary, days: list[str], removed: Removed) -> Summary:
    """Write the metrics of the days from one snapshot."""
    pinned, place = lake.pin(), f"metrics/{task.run_id}"
    lake.write_metrics(pinned, days, removed.tracks if task.publish_track_metrics else None, task.folder.uri(place))
    log.info("metrics written at version %s", pinned.version)
    return replace(summary, version=pinned.version, lake_uuid=pinned.uuid, days=days, metrics=place)


def _outcomes(counts: Iterable[Count], manifest: Manifest, task: TransformRun) -> dict[str, SourceOutcome]:
    """Return the outcome of each source from the rows of :func:`listens.counts`."""
    rejected: dict[str, Counter[str]] = {source_id: Counter() for source_id in manifest.source_ids}
    by_day: dict[str, Counter[str]] = {source_id: Counter() for source_id in manifest.source_ids}
    for row in counts:
        if row["reason"] is None:
            by_day[row["source_id"]][row["day"]] += row["count"]
        else:
            rejected[row["source_id"]][row["reason"]] += row["count"]
    return {
        source.source_id: _outcome(task, source, by_day[source.source_id], rejected[source.source_id])
        for source in manifest.sources
    }


def _outcome(task: TransformRun, source: ManifestSource, by_day: Counter[str], rejected: Counter[str]) -> SourceOutcome:
    """Return the outcome of a source. A release may have lifted one of the limits."""
    rows_accepted = by_day.total()
    rows_read = rows_accepted + rejected.total()
    malformed = sum(count for reason, count in rejected.items() if reason not in NOT_MALFORMED)
    if source.treatment not in _ANY_RATIO and malformed > task.max_rejected_ratio * rows_read:
        return SourceOutcome(rows_read, 0, dict(rejected), [], "too_many_bad_rows")
    if source.treatment != Treatment.ACCEPT_MANY_DAYS and len(by_day) > task.max_days_per_file:
        return SourceOutcome(rows_read, 0, dict(rejected), [], "too_many_days")
    return SourceOutcome(rows_read, rows_accepted, dict(rejected), sorted(by_day))
