"""One run of the transform: judge, commit, aggregate the touched days, summarise."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from music_streams.errors import NoReferenceData
from music_streams.runs import Manifest, RunFolder, SourceOutcome, Summary, read_manifest, write_summary
from music_streams.transform import inputs, listens, metrics, rows
from music_streams.transform.lake import LISTENS, REJECTED_ROWS, Lake
from music_streams.transform.reference_data import Reference, ReferenceData

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_BYTES_PER_PARTITION = 16 * 1024 * 1024
_LEAST_PARTITIONS = 4
NOT_MALFORMED = {"duplicate", "unknown_track"}  # reasons that do not speak against the file


@dataclass(frozen=True)
class TransformRun:
    """What a run is about.

    Attributes:
        execution: the state machine execution's name, ``<batch_id>-<attempt>``: identifies the run's commits.
        run_id: the Glue job run's id: names the folder of this try's metrics, so that two tries never mix.
        max_rejected_ratio: a file whose share of malformed rows is greater is quarantined whole.
    """

    folder: RunFolder
    execution: str
    run_id: str
    landing_bucket: str
    max_rejected_ratio: Decimal
    publish_track_metrics: bool

    @property
    def is_repeat(self) -> bool:
        """Whether the sources may have been committed by an earlier attempt."""
        return not self.execution.endswith("-1")


def run(spark: SparkSession, s3: S3Client, glue: GlueClient, task: TransformRun) -> Summary:
    """Process a manifest; may be repeated with the same execution at any point.

    Raises:
        NoReferenceData: there is no valid songs row at all; nothing was committed.
    """
    manifest = read_manifest(s3, task.folder)
    reference = ReferenceData(spark, s3, task.landing_bucket, task.folder, task.execution, task.run_id).read()
    if manifest.streams:
        summary = _process(Lake(spark, glue, s3), task, manifest, reference)
    else:
        # Reference files alone: they are parsed and kept now, ready for the next streams.
        summary = _summary(task, _outcomes([], manifest.source_ids, task.max_rejected_ratio))
    write_summary(s3, task.folder, summary)
    return summary


def _process(lake: Lake, task: TransformRun, manifest: Manifest, reference: Reference) -> Summary:
    # What is kept for several uses is not re-partitioned by adaptive execution: a small batch must ask for few.
    lake.spark.conf.set("spark.sql.shuffle.partitions", _partitions(manifest))
    judged = rows.judge(inputs.lines(lake.spark, task.folder, manifest), inputs.sources(lake.spark, manifest))
    enriched = listens.enrich(judged, reference.songs, reference.users).persist()

    outcomes = _outcomes(listens.counts(enriched).collect(), manifest.source_ids, task.max_rejected_ratio)
    if not any(outcome.rows_accepted for outcome in outcomes.values()) and reference.songs.isEmpty():
        raise NoReferenceData(
            f"no_reference_data: no valid songs row under s3://{task.landing_bucket}/reference/songs/: "
            "put a songs file there, then the streams again"
        )
    log.info("%s rows of %s files judged", sum(o.rows_read for o in outcomes.values()), len(manifest.streams))
    days = _commit(lake, task, enriched, outcomes, reference.version)
    enriched.unpersist()
    lake.spark.conf.unset("spark.sql.shuffle.partitions")
    log.info("committed; days to recompute: %s", days)
    if not days:
        return _summary(task, outcomes)
    pinned = lake.state(LISTENS)
    items = metrics.items(lake.listens_at(pinned.snapshot_id, days), track_metrics=task.publish_track_metrics)
    place = f"metrics/{task.run_id}"
    items.write.mode("overwrite").parquet(task.folder.uri(place))
    log.info("metrics written at version %s", pinned.version)
    return Summary(task.folder.batch_id, task.execution, pinned.version, pinned.uuid, days, place, outcomes)


def _partitions(manifest: Manifest) -> int:
    """In how many parts the batch's rows are shuffled, by its bytes as stored."""
    return max(_LEAST_PARTITIONS, sum(source.size for source in manifest.streams) // _BYTES_PER_PARTITION)


def _summary(task: TransformRun, outcomes: dict[str, SourceOutcome]) -> Summary:
    """The summary of a run that changed no day."""
    return Summary(task.folder.batch_id, task.execution, 0, "", [], "", outcomes)


def _outcomes(counts: list[Row], source_ids: list[str], max_rejected_ratio: Decimal) -> dict[str, SourceOutcome]:
    """What became of each source, from the rows of :func:`listens.counts`."""
    rejected: dict[str, Counter[str]] = {source_id: Counter() for source_id in source_ids}
    by_day: dict[str, Counter[str]] = {source_id: Counter() for source_id in source_ids}
    for row in counts:
        if row["reason"] is None:
            by_day[row["source_id"]][row["day"]] += row["count"]
        else:
            rejected[row["source_id"]][row["reason"]] += row["count"]
    return {source_id: _outcome(by_day[source_id], rejected[source_id], max_rejected_ratio) for source_id in source_ids}


def _outcome(by_day: Counter[str], rejected: Counter[str], max_rejected_ratio: Decimal) -> SourceOutcome:
    rows_accepted = by_day.total()
    rows_read = rows_accepted + rejected.total()
    malformed = sum(count for reason, count in rejected.items() if reason not in NOT_MALFORMED)
    if malformed > max_rejected_ratio * rows_read:
        return SourceOutcome(rows_read, 0, dict(rejected), [], "too_many_bad_rows")
    return SourceOutcome(rows_read, rows_accepted, dict(rejected), sorted(by_day))


def _commit(
    lake: Lake,
    task: TransformRun,
    enriched: DataFrame,
    outcomes: dict[str, SourceOutcome],
    reference_version: int,
) -> list[str]:
    """Commit the accepted sources' rows, rejected ones first, and answer the days that changed."""
    source_ids = [source_id for source_id, outcome in outcomes.items() if outcome.verdict is None]
    before = lake.state(LISTENS).commit_of(task.execution)
    if before is None:
        days = {day for outcome in outcomes.values() for day in outcome.days}
        if task.is_repeat:
            days.update(lake.days_of(list(outcomes), except_execution=task.execution))
        changed = sorted(days)
        if any(outcomes[source_id].rejected for source_id in source_ids):
            lake.append(REJECTED_ROWS, listens.rejected(enriched, source_ids, task.execution), task.execution, changed)
        if changed:
            added = listens.accepted(enriched, source_ids, task.execution, reference_version)
            lake.append(LISTENS, added, task.execution, changed)
    else:
        log.info("execution %s had committed already", task.execution)
        changed = before.days
    if task.is_repeat:
        lake.delete_older_copies(list(outcomes), task.execution)
    return changed
