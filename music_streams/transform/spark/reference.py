"""Reduces reference files to one row a track and one row a user (docs/design.md, section 3, songs and users)."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from music_streams.transform.spark.row_reasons import TRACK_ID, USER_ID, parse_positive_bigint

SONG_COLUMNS = ("id", "track_id", "track_name", "artists", "duration_ms", "track_genre")
USER_COLUMNS = ("user_id", "user_country")
SONGS = "track_id STRING, track_name STRING, artists STRING, duration_ms BIGINT, genres ARRAY<STRING>"
"""What :func:`songs` returns."""
USERS = "user_id BIGINT, user_country STRING"
"""What :func:`users` returns."""
MAX_KEY_BYTES = 1_000  # UTF-8 bytes of a genre or country: DynamoDB limits the index key that contains it to 1,024
MAX_NAME_BYTES = 20_000  # of a track's name and artists together: an item has three, and at most 400 KB
_DIGITS = r"^[0-9]+\z"
_MAX_DURATION_MS = 2**31 - 1


def songs(rows: DataFrame) -> DataFrame:
    """Return one row for each track.

    Args:
        rows: the columns SONG_COLUMNS as text, null or '' where a field is empty or its column is absent.

    Returns:
        track_id, track_name, artists, duration_ms (bigint), genres (sorted array without repeats). Rows without a
        valid track_id, duration_ms or track_genre are left out.
    """
    duration = parse_positive_bigint(F.col("duration_ms"), _DIGITS)
    valid = rows.select(
        "track_id",
        F.coalesce("track_name", F.lit("")).alias("track_name"),
        F.coalesce("artists", F.lit("")).alias("artists"),
        F.when(duration <= _MAX_DURATION_MS, duration).alias("duration_ms"),
        "track_genre",
        F.when(F.col("id").rlike(_DIGITS), F.regexp_replace("id", "^0+", "")).alias("id"),
    ).where(
        F.col("track_id").rlike(TRACK_ID)
        & F.col("duration_ms").isNotNull()
        & (F.col("track_genre") != "")
        & (F.octet_length("track_genre") <= MAX_KEY_BYTES)
        & (F.octet_length("track_name") + F.octet_length("artists") <= MAX_NAME_BYTES)
    )
    # Numbers of any length without leading zeros are ordered by length, then as text.
    by_id = F.struct(F.col("id").isNull(), F.length("id"), "id")
    first = F.min(F.struct(by_id, "track_name", "artists", "duration_ms"))
    return (
        valid.groupBy("track_id")
        .agg(first.alias("first"), F.sort_array(F.collect_set("track_genre")).alias("genres"))
        .select("track_id", "first.track_name", "first.artists", "first.duration_ms", "genres")
    )


def users(rows: DataFrame) -> DataFrame:
    """Return one row for each user that has a country.

    Args:
        rows: the columns USER_COLUMNS as text.

    Returns:
        user_id (bigint), user_country: the smallest non-empty one of the user.
    """
    return (
        rows.select(parse_positive_bigint(F.col("user_id"), USER_ID).alias("user_id"), "user_country")
        .where(F.col("user_id").isNotNull() & (F.col("user_country") != ""))
        .where(F.octet_length("user_country") <= MAX_KEY_BYTES)
        .groupBy("user_id")
        .agg(F.min("user_country").alias("user_country"))
    )
