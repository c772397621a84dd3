"""Computes the metrics of whole days, as a pure function of the lake's listens (docs/design.md, section 4).

reconcile/recount.py (docs/decisions/016) and the tests' oracle compute the same values independently: a change here
that they lack appears as drift.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

TOP_SONGS = 3
TOP_GENRES = 5
_GENRE, _COUNTRY, _SUMMARY, _TRACK = range(4)
_ITEM = ("kind", "subject", "day")
_AVERAGE_HUNDREDTHS = "(200 * total_listening_time_ms + unique_listeners) div (2 * unique_listeners)"  # half up


def items(events: DataFrame, names: DataFrame, *, track_metrics: bool) -> DataFrame:
    """Return all metrics items of the days of the events.

    Args:
        events: as :func:`events` returns them; persist them, because they are read twice.
        names: as :func:`names` returns them, of the same listens.
        track_metrics: whether to add TRACK items.

    Returns:
        pk, sk, day (text), listen_count, unique_listeners, total_listening_time_ms, avg_hundredths_ms (bigint: the
        average listening time per user in 1/100 ms), top_songs (array of struct, null where the item has none),
        top_genres (likewise).
    """
    subjects = [*_genres_and_country(), F.array(F.lit("")), *([F.array("track_id")] if track_metrics else [])]
    return (
        _by_subject(events, *subjects)
        .groupBy(*_ITEM)
        .agg(*_measures())
        .join(_top_songs(_by_subject(events, *_genres_and_country()), names), [*_ITEM], "left")
        .withColumn("top_genres", F.when(F.col("kind") == _SUMMARY, _top_genres()))
        .withColumn("avg_hundredths_ms", F.expr(_AVERAGE_HUNDREDTHS))
        .withColumn("day", F.col("day").cast("string"))
        .select(_pk(), _sk(), "*")
        .drop("kind", "subject")
    )


def tracks_without_listens(listens: DataFrame, removed: DataFrame) -> DataFrame:
    """Return the keys of TRACK items that have no listens left after rows were removed.

    Args:
        listens: all rows of some days.
        removed: track_id and day (text) of rows that were removed, of the same days only.

    Returns:
        pk, sk, day.
    """
    remaining = listens.select("track_id", _day().cast("string").alias("day")).distinct()
    empty = removed.distinct().join(remaining, ["track_id", "day"], "left_anti")
    return empty.select(
        F.concat(F.lit("TRACK#"), "track_id").alias("pk"), F.concat(F.lit("DAY#"), "day").alias("sk"), "day"
    )


def events(listens: DataFrame) -> DataFrame:
    """Return one row for each event: user_id, track_id, day (date), duration_ms, genres, user_country.

    Among the copies of an event the greatest reference_version wins, then the smallest source_id.
    """
    first = F.min(F.struct(*_precedence(), "duration_ms", "genres", "user_country"))
    return (
        listens.groupBy("listened_at", "user_id", "track_id")  # the instant first: it is the fastest to compare
        .agg(first.alias("copy"))
        .select("user_id", "track_id", _day(), "copy.duration_ms", "copy.genres", "copy.user_country")
    )


def names(listens: DataFrame) -> DataFrame:
    """Return one row for each track and day, by the same precedence: day (date), track_id, track_name, artists."""
    # Few rows differ in these columns, so distinct makes the input of the aggregation small.
    variants = listens.select(_day(), "track_id", *_precedence(), "track_name", "artists").distinct()
    first = F.min(F.struct("age", "source_id", "track_name", "artists"))
    return (
        variants.groupBy("day", "track_id")
        .agg(first.alias("name"))
        .select("day", "track_id", "name.track_name", "name.artists")
    )


def _precedence() -> list[Column]:
    return [(-F.col("reference_version")).alias("age"), F.col("source_id")]


def _day() -> Column:
    return F.to_date("listened_at").alias("day")


def _by_subject(events: DataFrame, *subjects: Column) -> DataFrame:
    """Repeat each event for each of its items: user_id, track_id, day, duration_ms, kind, subject.

    Args:
        events: as :func:`events` returns them.
        subjects: arrays: the genres, then an array of one element for each following kind, in order.
    """
    # Keys are built later, when rows are few: grouping and shuffling handle a number and a name.
    repeated = events.select(
        "user_id", "track_id", "day", "duration_ms", F.size("genres").alias("genres"), F.posexplode(F.concat(*subjects))
    )
    kind = F.greatest(F.col("pos") - F.col("genres") + 1, F.lit(_GENRE)).alias("kind")
    return repeated.select("user_id", "track_id", "day", "duration_ms", kind, F.col("col").alias("subject"))


def _genres_and_country() -> list[Column]:
    return [F.col("genres"), F.array("user_country")]


def _pk() -> Column:
    kind, subject = F.col("kind"), F.col("subject")
    genre_or_country = F.when(kind == _GENRE, F.lit("GENRE#")).otherwise(F.lit("COUNTRY#"))
    return (
        F.when(kind == _SUMMARY, F.concat(F.lit("DAY#"), "day"))
        .when(kind == _TRACK, F.concat(F.lit("TRACK#"), subject))
        .otherwise(F.concat(genre_or_country, subject))
        .alias("pk")
    )


def _sk() -> Column:
    return F.when(F.col("kind") == _SUMMARY, "SUMMARY").otherwise(F.concat(F.lit("DAY#"), "day")).alias("sk")


def _measures() -> list[Column]:
    return [
        F.count(F.lit(1)).alias("listen_count"),
        F.countDistinct("user_id").alias("unique_listeners"),
        F.sum("duration_ms").alias("total_listening_time_ms"),
    ]


def _top_songs(plays: DataFrame, names: DataFrame) -> DataFrame:
    """Return the first three tracks of each genre and country, as kind, subject, day, top_songs."""
    best_first = [F.desc("listen_count"), F.desc("unique_listeners"), F.asc("track_id")]
    rank = F.row_number().over(Window.partitionBy(*_ITEM).orderBy(*best_first))
    columns = ["track_id", "track_name", "artists", "listen_count", "unique_listeners", "total_listening_time_ms"]
    return (
        plays.groupBy(*_ITEM, "track_id")
        .agg(*_measures())
        .withColumn("rank", rank)
        .where(F.col("rank") <= TOP_SONGS)
        .join(names, ["day", "track_id"], "left")
        .groupBy(*_ITEM)
        .agg(F.sort_array(F.collect_list(F.struct("rank", *columns))).alias("top_songs"))
    )


def _top_genres() -> Column:
    """Return the first five genres of an item's day."""
    is_genre = F.col("kind") == _GENRE
    best_first = [F.desc("listen_count"), F.desc("unique_listeners"), F.asc("subject")]
    rank = F.row_number().over(Window.partitionBy("day", is_genre).orderBy(*best_first))
    measures = ["listen_count", "unique_listeners", "total_listening_time_ms"]
    genre = F.struct(rank.alias("rank"), F.col("subject").alias("genre"), *measures)
    first = F.when(is_genre & (rank <= TOP_GENRES), genre)
    return F.sort_array(F.collect_list(first).over(Window.partitionBy("day")))
