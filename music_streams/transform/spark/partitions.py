"""How widely Spark spreads a computation: what is small runs as one task, what is large as many."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from music_streams.state.sizing import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

_BYTES_PER_PARTITION = 16 * 1024 * 1024
_MOST_PARTITIONS = 10_000  # 160 GB; the sizes of unread files are what an event said of them
# What is persisted is kept for seconds: finding out how to press it takes longer than reading it.
_UNCOMPRESSED = {"spark.sql.inMemoryColumnarStorage.compressed": "false"}
_AS_ONE_TASK = {
    "spark.sql.shuffle.partitions": "1",
    # In one partition every join and grouping has its rows at hand: nothing is to be sent round, or planned anew.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}
_TINY = 4 * 1024 * 1024
_UNCOMPILED = {  # compiling code for some thousand rows takes longer than they do
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@contextmanager
def spread(spark: SparkSession, size: int) -> Iterator[None]:
    """Plan what is persisted, collected or written in the block for an input of `size` bytes."""
    # What is kept for several uses is not re-partitioned by adaptive execution: its partitions are set before.
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
    """The rows in one partition, where the input that :func:`spread` was told of is small."""
    return rows.coalesce(1) if size <= SMALL else rows
