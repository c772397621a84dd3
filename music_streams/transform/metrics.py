"""Metrics of whole days, a pure function of the lake's listens (docs/design.md, section 4)."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

TOP_SONGS = 3
TOP_GENRES = 5


def items(events: DataFrame, names: DataFrame, *, track_metrics: bool) -> DataFrame:
    """Every metrics item of the days that the events belong to.

    Args:
        events: as :func:`events` gives them; read twice, so better persisted.
        names: as :func:`names` gives them, of the same listens.
        track_metrics: whether TRACK items are wanted.

    Returns:
        pk, sk, day (text), listen_count, unique_listeners, total_listening_time_ms, avg_hundredths_ms (bigint: the
        average listening time per user in 1/100 ms), top_songs (array of struct, null where the item has none),
        top_genres (likewise).
    """
    keys = [*_genres_and_country(), _day_as_a_whole(), *([_track()] if track_metrics else [])]
    return (
        _by_key(events, *keys)
        .groupBy("pk", "sk", "day")
        .agg(*_measures())
        .join(_top_songs(_by_key(events, *_genres_and_country()), names), ["pk", "sk", "day"], "left")
        .withColumn("top_genres", F.when(F.col("sk") == "SUMMARY", _top_genres()))
        .withColumn("avg_hundredths_ms", _average_hundredths())
    )


def lost_tracks(listens: DataFrame, removed: DataFrame) -> DataFrame:
    """The TRACK items that rows were removed from and that nothing counts in any more.

    Args:
        listens: all rows of the days in question.
        removed: track_id and day (text) of rows that were removed, of these days alone.

    Returns:
        pk, sk, day.
    """
    left = listens.select("track_id", _day()).distinct()
    key = _key(F.concat(F.lit("TRACK#"), "track_id"), F.concat(F.lit("DAY#"), "day"))
    lost = removed.distinct().join(left, ["track_id", "day"], "left_anti")
    return lost.select(key.alias("key"), "day").select("key.*", "day")


def events(listens: DataFrame) -> DataFrame:
    """One row an event: user_id, track_id, day, duration_ms, genres, user_country.

    Among the copies of an event the greatest reference_version wins, then the smallest source_id.
    """
    first = F.min(F.struct(*_precedence(), "duration_ms", "genres", "user_country"))
    return (
        listens.groupBy("user_id", "track_id", "listened_at")
        .agg(first.alias("copy"))
        .select("user_id", "track_id", _day(), "copy.duration_ms", "copy.genres", "copy.user_country")
    )


def names(listens: DataFrame) -> DataFrame:
    """One row a track and day: day, track_id, track_name, artists; of several names the same precedence decides."""
    # Few of the rows differ in these columns: what is sorted to find the first is small.
    written = listens.select(_day(), "track_id", *_precedence(), "track_name", "artists").distinct()
    first = F.min(F.struct("age", "source_id", "track_name", "artists"))
    return (
        written.groupBy("day", "track_id")
        .agg(first.alias("name"))
        .select("day", "track_id", "name.track_name", "name.artists")
    )


def _precedence() -> list[Column]:
    return [(-F.col("reference_version")).alias("age"), F.col("source_id")]


def _day() -> Column:
    return F.to_date("listened_at").cast("string").alias("day")


def _by_key(events: DataFrame, *keys: Column) -> DataFrame:
    """Repeat each event for every item that it counts in, by arrays of keys."""
    keyed = events.withColumn("key", F.explode(F.concat(*keys)))
    return keyed.select("user_id", "track_id", "day", "duration_ms", "key.pk", "key.sk")


def _genres_and_country() -> list[Column]:
    genres = F.transform("genres", lambda genre: _key(F.concat(F.lit("GENRE#"), genre), _sort_key()))
    return [genres, F.array(_key(F.concat(F.lit("COUNTRY#"), "user_country"), _sort_key()))]


def _day_as_a_whole() -> Column:
    return F.array(_key(_sort_key(), F.lit("SUMMARY")))


def _track() -> Column:
    return F.array(_key(F.concat(F.lit("TRACK#"), "track_id"), _sort_key()))


def _sort_key() -> Column:
    return F.concat(F.lit("DAY#"), "day")


def _key(pk: Column, sk: Column) -> Column:
    return F.struct(pk.alias("pk"), sk.alias("sk"))


def _measures() -> list[Column]:
    return [
        F.count(F.lit(1)).alias("listen_count"),
        F.countDistinct("user_id").alias("unique_listeners"),
        F.sum("duration_ms").alias("total_listening_time_ms"),
    ]


def _average_hundredths() -> Column:
    """Total / unique_listeners to 2 decimals, half up, in integers: (200·total + n) div 2n."""
    return F.expr("(200 * total_listening_time_ms + unique_listeners) div (2 * unique_listeners)")


def _top_songs(plays: DataFrame, names: DataFrame) -> DataFrame:
    """The first three tracks of each genre and country, as pk, sk, day, top_songs."""
    best_first = [F.desc("listen_count"), F.desc("unique_listeners"), F.asc("track_id")]
    rank = F.row_number().over(Window.partitionBy("pk", "sk", "day").orderBy(*best_first))
    columns = ["track_id", "track_name", "artists", "listen_count", "unique_listeners", "total_listening_time_ms"]
    return (
        plays.groupBy("pk", "sk", "day", "track_id")
        .agg(*_measures())
        .withColumn("rank", rank)
        .where(F.col("rank") <= TOP_SONGS)
        .join(names, ["day", "track_id"], "left")
        .groupBy("pk", "sk", "day")
        .agg(F.sort_array(F.collect_list(F.struct("rank", *columns))).alias("top_songs"))
    )


def _top_genres() -> Column:
    """The first five genres of an item's day."""
    is_genre = F.col("pk").startswith("GENRE#")
    best_first = [F.desc("listen_count"), F.desc("unique_listeners"), F.asc("pk")]
    rank = F.row_number().over(Window.partitionBy("day", is_genre).orderBy(*best_first))
    genre = F.struct(
        rank.alias("rank"),
        F.expr("substring(pk, length('GENRE#') + 1)").alias("genre"),
        "listen_count",
        "unique_listeners",
        "total_listening_time_ms",
    )
    first = F.when(is_genre & (rank <= TOP_GENRES), genre)
    return F.sort_array(F.collect_list(first).over(Window.partitionBy("day")))
