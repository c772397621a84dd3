"""Rows of a run's metrics files become items of MetricsTable (docs/design.md, section 4)."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet

from music_streams.errors import MusicStreamsError
from music_streams.load.fence import Day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_s3 import S3Client

    from music_streams.state.run_files import RunFolder, Summary

_ROWS_AT_ONCE = 5_000
_COUNTS = ("listen_count", "unique_listeners", "total_listening_time_ms")


class UnorderedMetrics(MusicStreamsError):
    """The metrics files do not hold the days one after another."""


@dataclass(frozen=True)
class Provenance:
    """What every item of a run carries: its version, the lake table's UUID, the batch and the time of writing."""

    version: int
    lake_uuid: str
    batch_id: str
    updated_at: str


def read_rows(s3: S3Client, folder: RunFolder, summary: Summary) -> Iterator[dict[str, Any]]:
    """The rows of a run's Parquet files, in order: columns as transform.spark.metrics gives them."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key(summary.metrics) + "/")
    for page in pages:
        for found in page.get("Contents", []):
            if found["Key"].endswith(".parquet"):
                body = s3.get_object(Bucket=folder.bucket, Key=found["Key"])["Body"].read()
                for batch in pyarrow.parquet.ParquetFile(io.BytesIO(body)).iter_batches(_ROWS_AT_ONCE):
                    yield from batch.to_pylist()


def read_days(s3: S3Client, folder: RunFolder, summary: Summary, stamp: Provenance) -> Iterator[Day]:
    """The run's days in order, one after another: no more than one day's items are held at once.

    Raises:
        UnorderedMetrics: the rows of a day do not lie together.
    """
    expected = deque(sorted(summary.days))
    for name, rows in groupby(read_rows(s3, folder, summary), key=itemgetter("day")):
        while expected and expected[0] < name:
            yield Day(expected.popleft())
        if not expected or expected.popleft() != name:
            raise UnorderedMetrics(f"rows of {name} lie apart in {folder.uri(summary.metrics)}: start the run again")
        yield _day(name, rows, stamp)
    yield from map(Day, expected)


def _day(name: str, rows: Iterable[dict[str, Any]], stamp: Provenance) -> Day:
    day = Day(name)
    for row in rows:
        if row["listen_count"] is None:
            day.lost.append((row["pk"], row["sk"]))
        else:
            day.items.append(item(row, stamp))
    return day


def item(row: dict[str, Any], stamp: Provenance) -> dict[str, Any]:
    """The item of one row. Numbers are int and Decimal, never float."""
    # TRACK items stay out of the by-day index: they name their day otherwise.
    day = "track_day" if row["pk"].startswith("TRACK#") else "day"
    tops = {name: row[name] for name in ("top_songs", "top_genres") if row[name] is not None}
    return {
        "pk": row["pk"],
        "sk": row["sk"],
        day: row["day"],
        **{name: row[name] for name in _COUNTS},
        "avg_listening_time_per_user_ms": Decimal(row["avg_hundredths_ms"]).scaleb(-2),
        **tops,
        **asdict(stamp),
    }
