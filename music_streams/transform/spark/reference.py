"""Reduces the rows of reference files to one row a track and one row a user (docs/design.md, section 3)."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SONG_ROWS = "id STRING, track_id STRING, track_name STRING, artists STRING, duration_ms BIGINT, track_genre STRING"
"""The accepted rows of songs files: reference/row_reasons.py, SCHEMAS."""
USER_ROWS = "user_id BIGINT, user_country STRING"
"""The accepted rows of users files."""
SONGS = "track_id STRING, track_name STRING, artists STRING, duration_ms BIGINT, genres ARRAY<STRING>"
"""What :func:`songs` returns."""
USERS = "user_id BIGINT, user_country STRING"
"""What :func:`users` returns."""


def songs(rows: DataFrame) -> DataFrame:
    """Return one row for each track, from :data:`SONG_ROWS`; its genres are a sorted array without repeats."""
    # Numbers of any length without leading zeros are ordered by length, then as text.
    by_id = F.struct(F.col("id").isNull(), F.length("id"), "id")
    first = F.min(F.struct(by_id, "track_name", "artists", "duration_ms"))
    return (
        rows.groupBy("track_id")
        .agg(first.alias("first"), F.sort_array(F.collect_set("track_genre")).alias("genres"))
        .select("track_id", "first.track_name", "first.artists", "first.duration_ms", "genres")
    )


def users(rows: DataFrame) -> DataFrame:
    """Return one row for each user, from :data:`USER_ROWS`, with the smallest of the user's countries."""
    return rows.groupBy("user_id").agg(F.min("user_country").alias("user_country"))
