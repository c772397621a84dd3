"""Classifies the lines of streams files: each row gets its values, or the reason why it is rejected.

The reasons: docs/design.md, section 3, Row reasons.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

SOURCES = """source_id STRING NOT NULL, received_at TIMESTAMP NOT NULL, field_count INT NOT NULL,
    user_id_at INT NOT NULL, track_id_at INT NOT NULL, listen_time_at INT NOT NULL"""
"""A row for each source: its arrival, the number of fields of its header, and the index of each column."""

LINES = "source_id STRING NOT NULL, position STRUCT<block: BIGINT, line: BIGINT> NOT NULL, raw STRING NOT NULL"
"""A row for each line that is not blank, including the header; `position` orders the lines of a source."""

USER_ID = r"^[0-9]{1,19}\z"
TRACK_ID = r"^[0-9A-Za-z]{22}\z"
_DATE_TIME = r"^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-7]):?[0-5][0-9]|18:?00))?\z"


def classify(lines: DataFrame, sources: DataFrame) -> DataFrame:
    """Parse each of :data:`LINES` with the column positions of its source in :data:`SOURCES`; add the first reason.

    Returns:
        source_id, received_at, position, raw, user_id (bigint), track_id, listened_at (timestamp), reason (null: no
        reason so far; :func:`listens.enrich` adds `unknown_track`).
        The header, which is the first line of each source, is left out.
    """
    with_fields = lines.join(F.broadcast(sources), "source_id").withColumn("fields", split_fields(F.col("raw")))
    texts = with_fields.select(
        *("source_id", "position", "raw", "received_at"),
        (F.col("fields").isNull() | (F.size("fields") != F.col("field_count"))).alias("is_malformed"),
        F.get("fields", F.col("user_id_at")).alias("user_text"),
        F.get("fields", F.col("track_id_at")).alias("track_id"),
        F.get("fields", F.col("listen_time_at")).alias("time_text"),
    )
    user_id = parse_positive_bigint(F.col("user_text"), USER_ID)
    parsed = texts.withColumns({"user_id": user_id, "listened_at": parse_instant(F.col("time_text"))})
    is_like_header = (
        ~F.col("is_malformed")
        & F.col("user_text").eqNullSafe("user_id")
        & F.col("track_id").eqNullSafe("track_id")
        & F.col("time_text").eqNullSafe("listen_time")
    )
    classified = parsed.withColumns({"reason": _reason(), "is_like_header": is_like_header})
    return classified.drop("is_malformed", "user_text", "time_text").transform(_mark_duplicates_and_drop_header)


def split_fields(line: Column) -> Column:
    """Return the fields of a line as an array, null if it is not an RFC 4180 record. The rule of csv_line.fields."""
    # Every quote begins or ends a quoted part, so the parts with an even index are outside quotes: their commas end a
    # field. NUL marks these commas: it cannot occur in the input, because a file with one is not_csv.
    parts = F.split(line, '"')
    marked = F.transform(
        parts, lambda text, i: F.when(i % 2 == 0, F.replace(text, F.lit(","), F.lit("\0"))).otherwise(text)
    )
    raw = F.split(F.array_join(marked, '"'), "\0")
    is_record = (F.size(parts) % 2 == 1) & F.forall(raw, _is_well_quoted)
    quoted = F.when(is_record, F.transform(raw, _unquoted))
    return F.when(line.contains('"'), quoted).otherwise(F.split(line, ","))


def _is_well_quoted(field: Column) -> Column:
    is_wrapped = (F.length(field) >= 2) & field.startswith('"') & field.endswith('"')
    return ~field.contains('"') | (is_wrapped & ~F.replace(_inside(field), F.lit('""'), F.lit("")).contains('"'))


def _unquoted(field: Column) -> Column:
    return F.when(field.startswith('"'), F.replace(_inside(field), F.lit('""'), F.lit('"'))).otherwise(field)


def _inside(field: Column) -> Column:
    return field.substr(F.lit(2), F.length(field) - 2)


def parse_positive_bigint(text: Column, pattern: str) -> Column:
    """Return the number that a text of digits contains, null outside 1 … 2^63-1."""
    number = F.when(text.rlike(pattern), text.cast("bigint"))
    return F.when(number > 0, number)


def parse_instant(text: Column) -> Column:
    """Return the instant of a listen_time in microseconds (more digits are cut off); null if it is invalid."""
    # The cast returns null for a date or time that does not exist. A time without a zone is UTC.
    return F.when(text.rlike(_DATE_TIME + _ZONE), text.cast("timestamp"))


def _reason() -> Column:
    return (
        F.when(F.col("is_malformed"), "malformed_row")
        .when(F.col("user_text") == "", "missing_user_id")
        .when(F.col("user_id").isNull(), "bad_user_id")
        .when(F.col("track_id") == "", "missing_track_id")
        .when(~F.col("track_id").rlike(TRACK_ID), "bad_track_id")
        .when(F.col("time_text") == "", "missing_listen_time")
        .when(F.col("listened_at").isNull(), "bad_listen_time")
        .when(F.col("listened_at") > F.col("received_at") + F.expr("INTERVAL 24 HOURS"), "future_listen_time")
    )


def _mark_duplicates_and_drop_header(rows: DataFrame) -> DataFrame:
    """Mark as `duplicate` every row that repeats the event of an earlier row of its file, and drop the header."""
    # Only rows without a reason can be duplicates, so each rejected row gets its own window partition, by its position.
    # Lines equal to the header share one partition: the first is the header and is dropped.
    own_partition = F.when(F.col("reason").isNotNull() & ~F.col("is_like_header"), F.col("position"))
    # The instant comes first: it alone distinguishes most rows, so sorting rarely compares the other columns.
    event = Window.partitionBy("listened_at", "user_id", "track_id", "source_id", own_partition).orderBy("position")
    is_event = F.col("reason").isNull()
    return (
        rows.withColumn("is_first", F.row_number().over(event) == 1)
        .where(~(F.col("is_like_header") & F.col("is_first")))
        .withColumn("reason", F.when(is_event & ~F.col("is_first"), "duplicate").otherwise(F.col("reason")))
        .drop("is_like_header", "is_first")
    )
