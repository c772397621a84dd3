"""Sets the parallelism of Spark by the input size: a small computation runs as one task, a large one as many."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from music_streams.state.sizing import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

_BYTES_PER_PARTITION = 16 * 1024 * 1024
_MOST_PARTITIONS = 10_000  # 160 GB; a bound, because the sizes of unread files come from events
# Persisted rows are kept for seconds only: choosing a compression takes longer than it saves.
_UNCOMPRESSED = {"spark.sql.inMemoryColumnarStorage.compressed": "false"}
_AS_ONE_TASK = {
    "spark.sql.shuffle.partitions": "1",
    # In one partition no join or grouping needs a shuffle, a broadcast, or a new plan.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}
_TINY = 4 * 1024 * 1024
_UNCOMPILED = {  # for some thousand rows, compiling code takes longer than it saves
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@contextmanager
def spread(spark: SparkSession, size: int) -> Iterator[None]:
    """Configure Spark for an input of `size` bytes: applies to what the block persists, collects or writes."""
    # Adaptive execution does not re-partition persisted rows, so the number is set here.
    many = min(max(size // _BYTES_PER_PARTITION, spark.sparkContext.defaultParallelism), _MOST_PARTITIONS)
    settings = _AS_ONE_TASK if size <= SMALL else {"spark.sql.shuffle.partitions": str(many)}
    settings = {**_UNCOMPRESSED, **settings, **(_UNCOMPILED if size <= _TINY else {})}
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, earlier)


def gathered(rows: DataFrame, size: int) -> DataFrame:
    """Return the rows in one partition if the input, of the same `size` as for :func:`spread`, is small."""
    return rows.coalesce(1) if size <= SMALL else rows
