"""The staged stream files of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from music_streams.transform import rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from music_streams.runs import Manifest, RunFolder

_MAX_COLUMNS = 65_537  # a line of at most 64 KiB cannot have more fields; Spark's own bound would fail the whole job
_ID_LENGTH = 32


def lines(spark: SparkSession, folder: RunFolder, manifest: Manifest) -> DataFrame:
    """The lines of the staged files, blank ones left out: columns of :data:`rows.LINES`."""
    # Spark's CSV reader leaves out a byte order mark and blank lines, and takes every line end. With NUL as separator
    # and quote, which no accepted file holds, it gives each line whole: the fields are ours to find, by the header of
    # each file, where the reader would apply one header's order to all of them. The header is a line like any: the
    # reader would look for it in the first block of a file alone, and blank lines may fill that.
    reader = spark.read.schema("raw STRING").options(
        sep="\0", quote="", escape="\0", nullValue="\0", emptyValue="", maxColumns=_MAX_COLUMNS
    )
    position = F.struct(
        F.col("_metadata.file_block_start").alias("block"), F.monotonically_increasing_id().alias("line")
    )
    source_id = F.substring("_metadata.file_name", 1, _ID_LENGTH)
    paths = [folder.uri(f"input/{source.input}") for source in manifest.streams]
    return reader.csv(paths).select(source_id.alias("source_id"), position.alias("position"), "raw")


def sources(spark: SparkSession, manifest: Manifest) -> DataFrame:
    """How to read the lines of each source: columns of :data:`rows.SOURCES`."""
    values = [
        {
            "source_id": source.source_id,
            "received_at": source.received_at,
            "field_count": len(source.header),
            **{f"{name}_at": source.header.index(name) for name in ("user_id", "track_id", "listen_time")},
        }
        for source in manifest.streams
    ]
    # As one literal that the JVM parses: createDataFrame would start a Python worker for a handful of rows.
    parsed = F.from_json(F.lit(json.dumps(values)), T.ArrayType(rows.SOURCES))
    return spark.range(1).select(F.inline(parsed))
