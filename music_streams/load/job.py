"""One run of the load: every day of the run's summary, published behind its fence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from music_streams import clock
from music_streams.load.fence import Fence
from music_streams.load.items import Provenance, read_days
from music_streams.state.run_files import LoadReport, RunFolder, read_manifest, read_result, write_load_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_s3 import S3Client

    from music_streams.load.fence import Day

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
    """Publish the metrics that the transform's job run made of a manifest; may be repeated at any point.

    `files_table` holds the fences, `metrics_table` the items.

    Returns:
        The days that now stand at this run's version; a newer run has the others.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    summary = read_result(s3, folder, transform_run_id)
    if not summary.days:
        log.info("no day changed")
        write_load_report(s3, folder, transform_run_id, LoadReport(0, 0))
        return []
    stamp = Provenance(summary.version, summary.lake_uuid, summary.batch_id, clock.now())
    fence = Fence(dynamodb, files_table, metrics_table, stamp)
    published: list[str] = []
    written = refused = 0
    rebuilt = set(read_manifest(s3, folder).days)
    for days in _waves(read_days(s3, folder, summary, stamp)):
        for day in days:
            if day.day in rebuilt:
                day.lost += _unexpected_keys(dynamodb, metrics_table, day)
        standing = fence.publish(days)
        published += standing
        count_of = {day.day: len(day.items) for day in days}
        items = sum(count_of.values())
        stood = sum(count_of[day] for day in standing)
        written, refused = written + stood, refused + items - stood
        told = f"{days[0].day} … {days[-1].day}: {items} items at version {stamp.version}"
        log.info("%s; %s of %s days published, a newer run has the others", told, len(standing), len(days))
    write_load_report(s3, folder, transform_run_id, LoadReport(written, refused))
    return published


def _unexpected_keys(dynamodb: Any, metrics_table: str, day: Day) -> list[tuple[str, str]]:  # noqa: ANN401 - see clients.dynamodb
    """Keys of items that stand and are none of the day's; the fence need not list them."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=metrics_table,
        IndexName="by-day",
        KeyConditionExpression=Key("day").eq(day.day),
        ProjectionExpression="pk, sk",
    )
    standing = {(item["pk"], item["sk"]) for page in pages for item in page["Items"]}
    return sorted(standing - day.listed)


def _waves(days: Iterable[Day]) -> Iterator[list[Day]]:
    """Days in lots that are worth a pool of threads: many small ones, or one that is large."""
    wave: list[Day] = []
    weight = 0
    for day in days:
        wave.append(day)
        weight += 1 + len(day.items)
        if weight >= _WAVE:
            yield wave
            wave, weight = [], 0
    if wave:
        yield wave
