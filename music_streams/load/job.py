"""One run of the load: every day of the run's summary, published behind its fence."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from music_streams import clock
from music_streams.load.fence import Fence
from music_streams.load.items import Stamp, item, read_rows
from music_streams.runs import RunFolder, read_summary

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)


def run(
    s3: S3Client,
    dynamodb: Any,  # noqa: ANN401 - see aws.dynamodb
    manifest_uri: str,
    files_table: str,
    metrics_table: str,
) -> list[str]:
    """Publish a run's metrics; may be repeated at any point.

    Args:
        s3: a client.
        dynamodb: a client that takes plain Python values, see aws.dynamodb.
        manifest_uri: where the run's manifest lies; its summary lies beside it.
        files_table: name of the table with the fences.
        metrics_table: name of the table with the items.

    Returns:
        The days that now stand at this run's version; a newer run has the others.
    """
    folder = RunFolder.of_manifest(manifest_uri)
    summary = read_summary(s3, folder)
    if not summary.days:
        log.info("no day changed")
        return []
    stamp = Stamp(summary.version, summary.lake_uuid, summary.batch_id, clock.now())
    by_day: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(s3, folder, summary):
        by_day[row["day"]].append(item(row, stamp))
    fence = Fence(dynamodb, files_table, metrics_table, stamp)
    published = []
    for day in summary.days:
        if fence.publish(day, by_day[day]):
            published.append(day)
            log.info("%s: %s items at version %s", day, len(by_day[day]), stamp.version)
        else:
            log.info("%s: a newer run has the day", day)
    return published
