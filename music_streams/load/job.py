"""The steps of load-metrics: publish every day of a run's summary, each protected by its fence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from music_streams import clock
from music_streams.load.fence import DayPublisher
from music_streams.load.items import Provenance, read_days
from music_streams.state.run_files import LoadReport, RunFolder, read_manifest, read_result, write_load_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_s3 import S3Client

    from music_streams.load.fence import DayToPublish

log = logging.getLogger(__name__)

_WAVE = 2_000  # items and days


def run(
    s3: S3Client,
    dynamodb: Any,  # noqa: ANN401 - see clients.dynamodb
    manifest_uri: str,
    transform_run_id: str,
    files_table: str,
    metrics_table: str,
) -> list[str]:
    """Publish the metrics that a transform job run wrote for a manifest; idempotent.

    `files_table` has the fences, `metrics_table` the items. Return the days that are published at this run's version; a
    newer run has advanced the fence of the others.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    summary = read_result(s3, folder, transform_run_id)
    if not summary.days:
        log.info("no day changed")
        write_load_report(s3, folder, transform_run_id, LoadReport(0, 0))
        return []
    provenance = Provenance(summary.version, summary.lake_uuid, summary.batch_id, clock.now())
    publisher = DayPublisher(dynamodb, files_table, metrics_table, provenance)
    published: list[str] = []
    written = refused = 0
    rebuilt = set(read_manifest(s3, folder).days)
    for days in _waves(read_days(s3, folder, summary, provenance)):
        for day in days:
            if day.date in rebuilt:
                day.keys_to_delete += _unexpected_keys(dynamodb, metrics_table, day)
        published_now = publisher.publish(days)
        published += published_now
        count_of = {day.date: len(day.items) for day in days}
        items = sum(count_of.values())
        written_now = sum(count_of[day] for day in published_now)
        written, refused = written + written_now, refused + items - written_now
        wave = f"{days[0].date} … {days[-1].date}: {items} items at version {provenance.version}"
        log.info("%s; %s of %s days published, the others left to a newer run", wave, len(published_now), len(days))
    write_load_report(s3, folder, transform_run_id, LoadReport(written, refused))
    return published


def _unexpected_keys(dynamodb: Any, metrics_table: str, day: DayToPublish) -> list[tuple[str, str]]:  # noqa: ANN401 - see clients.dynamodb
    """Return the keys of the day's stored items that the run did not compute; the fence does not always list them.

    No key of a TRACK item is returned, because the index has none.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=metrics_table,
        IndexName="by-day",
        KeyConditionExpression=Key("day").eq(day.date),
        ProjectionExpression="pk, sk",
    )
    stored = {(item["pk"], item["sk"]) for page in pages for item in page["Items"]}
    return sorted(stored - day.fence_keys)


def _waves(days: Iterable[DayToPublish]) -> Iterator[list[DayToPublish]]:
    """Group days into lists that are worth a thread pool: many small days, or one large day."""
    wave: list[DayToPublish] = []
    weight = 0
    for day in days:
        wave.append(day)
        weight += 1 + len(day.items)
        if weight >= _WAVE:
            yield wave
            wave, weight = [], 0
    if wave:
        yield wave
