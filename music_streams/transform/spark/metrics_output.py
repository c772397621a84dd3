"""Writes the metrics of whole days as Parquet, for the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from music_streams.transform.spark import metrics
from music_streams.transform.spark.partitions import gathered, spread

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ITEMS_PER_FILE = 100_000  # the load holds a file's bytes in memory


def write(listens: DataFrame, days: list[str], tracks: list[str] | None, uri: str) -> None:
    """Write the metrics as :meth:`ports.Lake.write_metrics` defines; `listens`: all rows of the days in a snapshot."""
    spark = listens.sparkSession
    size = _estimated_bytes(listens)
    with spread(spark, size):
        rows = gathered(listens, size)
        events = metrics.events(rows).persist()
        items = metrics.items(events, metrics.names(rows), track_metrics=tracks is not None)
        if tracks:
            removed = gathered(spark.read.parquet(*tracks).where(F.col("day").isin(days)), size)
            items = items.unionByName(metrics.tracks_without_listens(rows, removed), allowMissingColumns=True)
        if len(days) > 1:  # the load keeps one day in memory
            items = items.sort("day")
        items.write.option("maxRecordsPerFile", _ITEMS_PER_FILE).mode("overwrite").parquet(uri)
        events.unpersist()


def _estimated_bytes(rows: DataFrame) -> int:
    """Return the size after the filter as Spark's planner estimates it from the file sizes in Iceberg."""
    return int(rows._jdf.queryExecution().optimizedPlan().stats().sizeInBytes())
