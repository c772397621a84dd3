"""What a run reads besides the lake: staged stream files and reference files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from music_streams import clock, csv_line
from music_streams.aws import split_uri
from music_streams.transform import reference, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession
    from types_boto3_s3 import S3Client

    from music_streams.runs import Manifest, RunFolder

_MAX_COLUMNS = 65_537  # a line of at most 64 KiB cannot have more fields; Spark's own bound would fail the whole job
_SOURCE_ID_IN_PATH = r"([0-9a-f]{32})\.csv(\.gz)?$"
_HEADER_BYTES = 64 * 1024


def lines(spark: SparkSession, folder: RunFolder, manifest: Manifest) -> DataFrame:
    """The lines of the staged files, header and blank lines left out: columns of :data:`rows.LINES`."""
    # Spark's CSV reader leaves out each file's header, a byte order mark and blank lines, and takes every line end.
    # With NUL as separator and quote, which no accepted file holds, it gives each line whole: the fields are ours to
    # find, by the header of each file, where the reader would apply one header's order to all of them.
    reader = spark.read.schema("raw STRING").options(
        header=True, sep="\0", quote="", escape="\0", nullValue="\0", emptyValue="", maxColumns=_MAX_COLUMNS
    )
    position = F.struct(
        F.col("_metadata.file_block_start").alias("block"), F.monotonically_increasing_id().alias("line")
    )
    source_id = F.regexp_extract("_metadata.file_path", _SOURCE_ID_IN_PATH, 1)
    paths = [folder.uri(f"input/{source.input}") for source in manifest.sources]
    return reader.csv(paths).select(source_id.alias("source_id"), position.alias("position"), "raw")


def sources(spark: SparkSession, manifest: Manifest) -> DataFrame:
    """How to read the lines of each source: columns of :data:`rows.SOURCES`."""
    values = [
        (
            source.source_id,
            clock.parse(source.received_at),
            len(source.header),
            *(source.header.index(name) for name in ("user_id", "track_id", "listen_time")),
        )
        for source in manifest.sources
    ]
    return spark.createDataFrame(values, rows.SOURCES)


@dataclass(frozen=True)
class Reference:
    """The reference data of a run.

    Attributes:
        songs, users: as :mod:`reference` gives them.
        version: `reference_version`: epoch milliseconds of the newest reference object read.
    """

    songs: DataFrame
    users: DataFrame
    version: int


def reference_data(spark: SparkSession, s3: S3Client, bucket: str, folder: RunFolder) -> Reference:
    """Read every ``.csv`` under ``reference/songs/`` and ``reference/users/``.

    They are copied into the run's folder first, under names of our own: Spark sees neither names that begin with ``_``
    or ``.`` nor such that hold ``[``, ``{``, ``*`` or ``?``.
    """
    songs_files = _stage(s3, bucket, "reference/songs/", folder)
    users_files = _stage(s3, bucket, "reference/users/", folder)
    songs = reference.songs(_read(spark, s3, songs_files, reference.SONG_COLUMNS))
    users = reference.users(_read(spark, s3, users_files, reference.USER_COLUMNS))
    return Reference(songs, users, max([*songs_files.values(), *users_files.values()], default=0))


def _stage(s3: S3Client, bucket: str, prefix: str, folder: RunFolder) -> dict[str, int]:
    """Copy the .csv objects under a prefix into the run's folder.

    Returns:
        The copies' URIs, and when each original was last modified, in epoch milliseconds.
    """
    staged: dict[str, int] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            if found["Key"].lower().endswith(".csv"):
                name = f"{prefix}{len(staged)}.csv"
                s3.copy({"Bucket": bucket, "Key": found["Key"]}, folder.bucket, folder.key(name))
                staged[folder.uri(name)] = int(found["LastModified"].timestamp() * 1000)
    return staged


def _read(spark: SparkSession, s3: S3Client, uris: Iterable[str], columns: tuple[str, ...]) -> DataFrame:
    """The wanted columns of CSV files as text. Files are read by distinct header: Spark applies one header to all."""
    by_header: dict[tuple[str, ...], list[str]] = {}
    for uri in uris:
        by_header.setdefault(_header(s3, uri), []).append(uri)
    result = spark.createDataFrame([], ", ".join(f"{name} STRING" for name in columns))
    for header, paths in by_header.items():
        # Only the wanted columns keep their names: others may differ in case alone, or hold any character.
        names = [name if name in columns and header.index(name) == i else f"_{i}" for i, name in enumerate(header)]
        schema = ", ".join(f"{name} STRING" for name in names)
        # Fields may hold line breaks; quotes inside quotes are doubled, as RFC 4180 has it.
        table = spark.read.schema(schema).options(header=True, multiLine=True, quote='"', escape='"').csv(paths)
        wanted = [F.col(name) if name in names else F.lit(None).cast("string").alias(name) for name in columns]
        result = result.unionByName(table.select(*wanted))
    return result


def _header(s3: S3Client, uri: str) -> tuple[str, ...]:
    """The column names of a CSV object, read from its first 64 KiB."""
    bucket, key = split_uri(uri)
    start = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_HEADER_BYTES - 1}")["Body"].read()
    text = start.decode("utf-8-sig", errors="ignore").lstrip("\r\n")
    first_line = re.split("[\r\n]", text, maxsplit=1)[0]
    return tuple(csv_line.fields(first_line) or ())
