"""Enriches classified rows with reference data: listens for the lake, rejected rows, and the count of both."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

UNKNOWN_COUNTRY = "unknown"
_LISTEN = ("user_id", "track_id", "listened_at", "duration_ms", "track_name", "artists", "genres", "user_country")


def enrich(rows: DataFrame, songs: DataFrame, users: DataFrame) -> DataFrame:
    """Add reference data to each row; a valid row whose track is not in songs gets `unknown_track`.

    Args:
        rows: as :func:`row_reasons.classify` returns them.
        songs: as :func:`reference.songs` returns them.
        users: as :func:`reference.users` returns them.

    Returns:
        The rows with duration_ms, track_name, artists, genres, user_country, and the final reason (null: accepted).
    """
    known = rows.join(songs, "track_id", "left").join(users, "user_id", "left")
    return known.withColumns(
        {
            "user_country": F.coalesce("user_country", F.lit(UNKNOWN_COUNTRY)),
            "reason": F.coalesce("reason", F.when(F.col("genres").isNull(), "unknown_track")),
        }
    )


def drop_unused_columns(rows: DataFrame) -> DataFrame:
    """Drop what the lake does not store from enriched rows: positions, and the text of accepted rows."""
    return rows.drop("position").withColumn("raw", F.when(F.col("reason").isNotNull(), F.col("raw")))


def counts(rows: DataFrame) -> DataFrame:
    """Count rows by source, reason and day: source_id, reason, day (null for rejected rows), count."""
    day = F.when(F.col("reason").isNull(), F.to_date("listened_at").cast("string"))
    return rows.groupBy("source_id", "reason", day.alias("day")).count()


def accepted(rows: DataFrame, source_ids: list[str], execution: str, reference_version: int) -> DataFrame:
    """Return the rows of the lake's `listens` that the given sources contain."""
    return rows.where(F.col("reason").isNull() & F.col("source_id").isin(source_ids)).select(
        *_LISTEN,
        "source_id",
        F.lit(execution).alias("execution"),
        F.lit(reference_version).cast("bigint").alias("reference_version"),
    )


def rejected(rows: DataFrame, source_ids: list[str], execution: str) -> DataFrame:
    """Return the rows of the lake's `rejected_rows` that the given sources contain."""
    return rows.where(F.col("reason").isNotNull() & F.col("source_id").isin(source_ids)).select(
        "raw", "reason", "source_id", F.lit(execution).alias("execution"), "received_at"
    )
