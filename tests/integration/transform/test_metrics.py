"""The metrics of small days, computed by hand (docs/design.md, section 4). Each case has its own day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from music_streams.transform.spark import metrics
from tests.integration.transform import computed

LISTENS = """user_id BIGINT, track_id STRING, listened_at TIMESTAMP, duration_ms BIGINT, track_name STRING,
    artists STRING, genres ARRAY<STRING>, user_country STRING, source_id STRING, execution STRING,
    reference_version BIGINT"""
COLUMNS = [part.split()[0] for part in LISTENS.split(",")]

_rows: list[tuple[Any, ...]] = []


def track(name: str) -> str:
    return name.ljust(22, "0")


def listen(day: str, second: int, user: int, name: str, **changes: Any) -> None:
    """Add an event (identified by day, second, user and track) or a copy of one."""
    row = {
        "user_id": user,
        "track_id": track(name),
        "listened_at": datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=second),
        "duration_ms": 100,
        "track_name": f"name of {name}",
        "artists": f"artists of {name}",
        "genres": ["pop"],
        "user_country": "DE",
        "source_id": "s",
        "execution": "x-1",
        "reference_version": 1,
        **changes,
    }
    _rows.append(tuple(row[column] for column in COLUMNS))


PLAIN = "2024-06-01"
for at, user, country in ((0, 1, "DE"), (1, 1, "DE"), (2, 2, "FR")):
    listen(PLAIN, at, user, "T1", genres=["pop", "rock"], user_country=country)
listen(PLAIN, 3, 2, "T2", duration_ms=51, user_country="FR")

HALF = "2024-06-02"  # 9 ms over 8 users: 1.125
for user in range(1, 9):
    listen(HALF, 0, user, "T", duration_ms=2 if user == 1 else 1)
THIRD = "2024-06-03"  # 4 ms over 3 users: 1.333…
for user in range(1, 4):
    listen(THIRD, 0, user, "T", duration_ms=2 if user == 1 else 1)
TWO_THIRDS = "2024-06-04"  # 5 ms over 3 users: 1.666…
for user in range(1, 4):
    listen(TWO_THIRDS, 0, user, "T", duration_ms=1 if user == 1 else 2)

TIES = "2024-06-05"
for at in range(3):
    listen(TIES, at, 1, "many")  # 3 listens by one
    listen(TIES, at, 1 + at % 2, "few")  # 3 listens by two
for name in ("a", "Z", "9"):
    for user in (1, 2):
        listen(TIES, 0, user, name, user_country="ties")  # 2 listens by two each
listen(TIES, 9, 3, "zzz", user_country="ties", duration_ms=10**9)  # 1 listen, however long

GENRES = "2024-06-06"
for user in (1, 2):
    listen(GENRES, 0, user, "many", genres=["last by count", "𝄟", "𝄞", "～", "é", "a", "Z"])
listen(GENRES, 1, 1, "one", genres=["é", "a", "𝄞", "～", "Z", "𝄟"])

COPIES = "2024-06-07"
listen(COPIES, 0, 1, "newer", duration_ms=1, track_name="old", user_country="old", genres=["old"], source_id="a")
listen(
    COPIES, 0, 1, "newer", duration_ms=2, track_name="new", user_country="new", genres=["new"], source_id="b",
    reference_version=2,
)  # fmt: skip
listen(COPIES, 1, 1, "smaller", duration_ms=10, user_country="first", genres=["first"], source_id="a")
listen(COPIES, 1, 1, "smaller", duration_ms=20, user_country="second", genres=["second"], source_id="b")
for execution in ("x-1", "x-2"):
    listen(COPIES, 2, 1, "twice", duration_ms=100, user_country="twice", genres=["twice"], execution=execution)

NAMES = "2024-06-08"
listen(NAMES, 0, 1, "T", track_name="old", user_country="DE", source_id="a", genres=["in old"])
listen(NAMES, 1, 2, "T", track_name="new", artists="", user_country="FR", source_id="b", reference_version=2)
listen(NAMES, 0, 1, "S", track_name="of b", user_country="DE", source_id="b", genres=["of b"])
listen(NAMES, 1, 2, "S", track_name="of a", user_country="FR", source_id="a")
listen(NAMES, 2, 2, "E", track_name="", artists="", genres=["empty"])

MIDNIGHT = "2024-06-09"
listen(MIDNIGHT, 0, 1, "T")
listen(MIDNIGHT, 86_399, 1, "T")
listen("2024-06-08", -1, 1, "T", genres=["eve"], user_country="eve")  # 2024-06-07 23:59:59


@pytest.fixture(scope="module")
def items(spark):
    frame = computed.items(spark.createDataFrame(_rows, LISTENS), track_metrics=True)
    return {(row["pk"], row["sk"]): row for row in frame.collect()}


COUNTS = ("listen_count", "unique_listeners", "total_listening_time_ms")


def test_a_day_has_exactly_the_items_of_all_kinds_with_the_four_metrics_of_their_events(items):
    of_day = {key: row for key, row in items.items() if PLAIN in "".join(key)}
    assert {key: tuple(row[name] for name in (*COUNTS, "avg_hundredths_ms")) for key, row in of_day.items()} == {
        ("GENRE#pop", f"DAY#{PLAIN}"): (4, 2, 351, 17550),
        ("GENRE#rock", f"DAY#{PLAIN}"): (3, 2, 300, 15000),
        ("COUNTRY#DE", f"DAY#{PLAIN}"): (2, 1, 200, 20000),
        ("COUNTRY#FR", f"DAY#{PLAIN}"): (2, 1, 151, 15100),
        (f"DAY#{PLAIN}", "SUMMARY"): (4, 2, 351, 17550),
        (f"TRACK#{track('T1')}", f"DAY#{PLAIN}"): (3, 2, 300, 15000),
        (f"TRACK#{track('T2')}", f"DAY#{PLAIN}"): (1, 1, 51, 5100),
    }
    assert {row["day"] for row in of_day.values()} == {PLAIN}


@pytest.mark.parametrize(("day", "hundredths"), [(HALF, 113), (THIRD, 133), (TWO_THIRDS, 167)])
def test_the_average_is_rounded_half_up(items, day, hundredths):
    assert items[f"DAY#{day}", "SUMMARY"]["avg_hundredths_ms"] == hundredths


def entry(rank, about, *counts):
    return {"rank": rank, **about, **dict(zip(COUNTS, counts, strict=True))}


def test_entries_of_top_songs_and_top_genres_have_all_attributes(items):
    first, second = (
        {"track_id": track(name), "track_name": f"name of {name}", "artists": f"artists of {name}"}
        for name in ("T1", "T2")
    )
    songs, genres = items["GENRE#pop", f"DAY#{PLAIN}"]["top_songs"], items[f"DAY#{PLAIN}", "SUMMARY"]["top_genres"]
    assert [row.asDict() for row in songs] == [entry(1, first, 3, 2, 300), entry(2, second, 1, 1, 51)]
    assert [row.asDict() for row in genres] == [
        entry(1, {"genre": "pop"}, 4, 2, 351),
        entry(2, {"genre": "rock"}, 3, 2, 300),
    ]


def test_only_genres_and_countries_have_top_songs_and_only_days_top_genres(items):
    for (pk, _), row in items.items():
        assert (row["top_songs"] is not None) == pk.startswith(("GENRE#", "COUNTRY#"))
        assert (row["top_genres"] is not None) == pk.startswith("DAY#")


def ranked(row, name):
    return [(entry["rank"], entry[name]) for entry in row["top_songs" if name == "track_id" else "top_genres"]]


def test_top_songs_are_three_ordered_by_listens_then_listeners_then_track_id_by_code_point(items):
    genre, country = items["GENRE#pop", f"DAY#{TIES}"], items["COUNTRY#ties", f"DAY#{TIES}"]
    assert ranked(genre, "track_id") == [(1, track("few")), (2, track("many")), (3, track("9"))]
    assert ranked(country, "track_id") == [(1, track("9")), (2, track("Z")), (3, track("a"))]


def test_top_genres_are_five_ordered_by_listens_then_listeners_then_name_by_code_point(items):
    row = items[f"DAY#{GENRES}", "SUMMARY"]
    assert ranked(row, "genre") == [(1, "Z"), (2, "a"), (3, "é"), (4, "～"), (5, "𝄞")]


def test_an_event_counts_once_in_each_of_its_genres_and_once_in_the_day(items):
    assert items["GENRE#last by count", f"DAY#{GENRES}"]["listen_count"] == 2
    assert items[f"DAY#{GENRES}", "SUMMARY"]["listen_count"] == 3


def test_of_copies_of_an_event_that_with_the_newest_reference_then_the_smallest_source_counts(items):
    of_day = {pk: row["total_listening_time_ms"] for (pk, sk), row in items.items() if sk == f"DAY#{COPIES}"}
    of_day = {pk: total for pk, total in of_day.items() if "eve" not in pk}
    assert of_day.pop(f"TRACK#{track('T')}", None) == 100  # the eve of the next day
    assert of_day == {
        "GENRE#new": 2,
        "COUNTRY#new": 2,
        "GENRE#first": 10,
        "COUNTRY#first": 10,
        "GENRE#twice": 100,
        "COUNTRY#twice": 100,
        f"TRACK#{track('newer')}": 2,
        f"TRACK#{track('smaller')}": 10,
        f"TRACK#{track('twice')}": 100,
    }


def names_of(row):
    return {(entry["track_id"].rstrip("0"), entry["track_name"], entry["artists"]) for entry in row["top_songs"]}


def test_of_names_of_a_track_in_a_day_that_with_the_newest_reference_then_the_smallest_source_counts(items):
    for pk in ("COUNTRY#DE", "COUNTRY#FR", "GENRE#in old", "GENRE#of b"):
        for name in names_of(items[pk, f"DAY#{NAMES}"]):
            assert name in {("T", "new", ""), ("S", "of a", "artists of S"), ("E", "", "")}, pk


def test_an_empty_name_is_empty_text(items):
    assert names_of(items["GENRE#empty", f"DAY#{NAMES}"]) == {("E", "", "")}


def test_the_day_of_a_listen_is_the_utc_date_of_its_instant(items):
    assert items[f"DAY#{MIDNIGHT}", "SUMMARY"]["listen_count"] == 2
    assert items["GENRE#eve", "DAY#2024-06-07"]["listen_count"] == 1


def test_tracks_have_items_only_if_track_metrics_are_requested(spark):
    frame = computed.items(spark.createDataFrame(_rows[:4], LISTENS), track_metrics=False)
    assert {row["pk"].split("#")[0] for row in frame.select("pk").collect()} == {"GENRE", "COUNTRY", "DAY"}


def test_a_removed_track_without_listens_on_its_day_is_returned(spark):
    pairs = [(track("T1"), PLAIN), (track("T2"), HALF), (track("gone"), PLAIN), (track("gone"), PLAIN)]
    removed = spark.createDataFrame(pairs, "track_id STRING, day STRING")
    empty = metrics.tracks_without_listens(spark.createDataFrame(_rows, LISTENS), removed).collect()
    assert {tuple(row) for row in empty} == {
        (f"TRACK#{track('T2')}", f"DAY#{HALF}", HALF),
        (f"TRACK#{track('gone')}", f"DAY#{PLAIN}", PLAIN),
    }
    assert len(empty) == 2
