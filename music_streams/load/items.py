"""Converts the rows of a run's metrics files to items of MetricsTable (docs/design.md, section 4)."""

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
from music_streams.load.fence import DayToPublish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_s3 import S3Client

    from music_streams.state.run_files import RunFolder, Summary

_ROWS_AT_ONCE = 5_000
_COUNTS = ("listen_count", "unique_listeners", "total_listening_time_ms")


class UnorderedMetrics(MusicStreamsError):
    """The metrics files are not ordered by day."""


@dataclass(frozen=True)
class Provenance:
    """Attributes that all items of a run share: version, the lake table's UUID, batch and time of writing."""

    version: int
    lake_uuid: str
    batch_id: str
    updated_at: str


def read_rows(s3: S3Client, folder: RunFolder, summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's Parquet files in order, with the columns of transform.spark.metrics."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key(summary.metrics) + "/")
    for page in pages:
        for listed in page.get("Contents", []):
            if listed["Key"].endswith(".parquet"):
                body = s3.get_object(Bucket=folder.bucket, Key=listed["Key"])["Body"].read()
                for batch in pyarrow.parquet.ParquetFile(io.BytesIO(body)).iter_batches(_ROWS_AT_ONCE):
                    yield from batch.to_pylist()


def read_days(s3: S3Client, folder: RunFolder, summary: Summary, provenance: Provenance) -> Iterator[DayToPublish]:
    """Yield the run's days in order, one at a time. Raises UnorderedMetrics if a day's rows are not contiguous."""
    expected = deque(sorted(summary.days))
    for name, rows in groupby(read_rows(s3, folder, summary), key=itemgetter("day")):
        while expected and expected[0] < name:
            yield DayToPublish(expected.popleft())
        if not expected or expected.popleft() != name:
            uri = folder.uri(summary.metrics)
            raise UnorderedMetrics(f"the rows of {name} are not contiguous in {uri}: redrive the files of the run")
        yield _day(name, rows, provenance)
    yield from map(DayToPublish, expected)


def _day(name: str, rows: Iterable[dict[str, Any]], provenance: Provenance) -> DayToPublish:
    day = DayToPublish(name)
    for row in rows:
        if row["listen_count"] is None:
            day.keys_to_delete.append((row["pk"], row["sk"]))
        else:
            day.items.append(item(row, provenance))
    return day


def item(row: dict[str, Any], provenance: Provenance) -> dict[str, Any]:
    """Return the item of one row. Numbers are int and Decimal, never float."""
    # TRACK items have another attribute for the day, to keep them out of the by-day index.
    day = "track_day" if row["pk"].startswith("TRACK#") else "day"
    tops = {name: row[name] for name in ("top_songs", "top_genres") if row[name] is not None}
    return {
        "pk": row["pk"],
        "sk": row["sk"],
        day: row["day"],
        **{name: row[name] for name in _COUNTS},
        "avg_listening_time_per_user_ms": Decimal(row["avg_hundredths_ms"]).scaleb(-2),
        **tops,
        **asdict(provenance),
    }
