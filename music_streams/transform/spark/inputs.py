"""Reads the staged streams files of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from music_streams.transform.spark import row_reasons

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from music_streams.state.run_files import Manifest, RunFolder

_NOT_BLANK = r"[^\x00-\x20]"
_ID_LENGTH = 32


def lines(spark: SparkSession, folder: RunFolder, manifest: Manifest) -> DataFrame:
    """Return the lines of the staged files except blank ones, with the columns of :data:`row_reasons.LINES`."""
    # The text reader drops a byte order mark and accepts every line end. The CSV reader would expect the header in the
    # first block of a file, which blank lines may fill: so the header is a line like any, and fields are parsed later.
    line = F.col("value")
    is_blank = (line < "!") & ~line.rlike(_NOT_BLANK)  # the cheap comparison decides for nearly all lines
    position = F.struct(
        F.col("_metadata.file_block_start").alias("block"), F.monotonically_increasing_id().alias("line")
    )
    source_id = F.substring("_metadata.file_name", 1, _ID_LENGTH)
    paths = [folder.uri(f"input/{source.input}") for source in manifest.streams]
    read = spark.read.text(paths).where(~is_blank)
    return read.select(source_id.alias("source_id"), position.alias("position"), line.alias("raw"))


def sources(spark: SparkSession, manifest: Manifest) -> DataFrame:
    """Return how to parse the lines of each source, with the columns of :data:`row_reasons.SOURCES`."""
    values = [
        {
            "source_id": source.source_id,
            "received_at": source.received_at,
            "field_count": len(source.header),
            **{f"{name}_at": source.header.index(name) for name in ("user_id", "track_id", "listen_time")},
        }
        for source in manifest.streams
    ]
    # The JVM parses one literal: createDataFrame would start a Python worker for a few rows.
    parsed = F.from_json(F.lit(json.dumps(values)), f"ARRAY<STRUCT<{row_reasons.SOURCES}>>")
    return spark.range(1).select(F.inline(parsed))
