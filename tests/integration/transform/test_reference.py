"""Reference rows are reduced to one row a track and one a user (docs/design.md, section 3, songs and users)."""

from typing import Any

import pytest

from music_streams.transform.spark import reference


def track(name: str) -> str:
    """A valid track_id."""
    return name.ljust(22, "0")


def song(name, **changes):
    row = {"id": "1", "track_id": track(name), "track_name": "n", "artists": "a", "duration_ms": "1000"}
    return {**row, "track_genre": "pop", **changes}


Changes = dict[str, Any]
# A track -> how its rows differ from the default, and how its row in the result differs.
SONGS: dict[str, tuple[list[Changes], Changes]] = {
    "one": ([{}], {}),
    "genres": ([{"track_genre": g} for g in ("rock", "pop", "é", "Z", "pop")], {"genres": ["Z", "pop", "rock", "é"]}),
    "numeric": ([{"id": "10", "track_name": "b"}, {"id": "9", "track_name": "a"}], {"track_name": "a"}),
    "leading": ([{"id": "0009", "track_name": "a"}, {"id": "10", "track_name": "b"}], {"track_name": "a"}),
    "great": ([{"id": "9" * 30, "track_name": "b"}, {"id": "9" * 29, "track_name": "c"}], {"track_name": "c"}),
    "noid": (
        [{"id": "7", "track_name": "z"}, *({"id": i, "track_name": "a"} for i in ("", None, "x", "-1", " 1"))],
        {"track_name": "z"},
    ),
    "names": ([{"track_name": name} for name in ("b", "a", "é")], {"track_name": "a"}),
    "artists": ([{"artists": artists} for artists in ("b", "B")], {"artists": "B"}),
    "durations": ([{"duration_ms": ms} for ms in ("1000", "0999", "2000")], {"duration_ms": 999}),
    "nulls": ([{"track_name": None, "artists": None}], {"track_name": "", "artists": ""}),
    "longest": ([{"duration_ms": str(2**31 - 1)}], {"duration_ms": 2**31 - 1}),
    "ignored": ([{"duration_ms": "0", "track_genre": "rock"}, {"id": "2"}], {}),
}
INVALID = [
    *(song("x", track_id=id_) for id_ in (f"{track('x')}0", "x", f"{track('x')[:-1]}-", f"{track('x')}\n", "", None)),
    *(song("x", track_genre=genre) for genre in ("", None)),
    *(song("x", duration_ms=ms) for ms in ("", None, "0", "-1", "+1", "1.0", " 1", "1 ", "1e3", str(2**31), "9" * 40)),
]


@pytest.fixture(scope="module")
def songs(spark):
    """All cases in one job: each has its own track."""
    rows = [song(name, **row) for name, (case, _) in SONGS.items() for row in case] + INVALID
    values = [tuple(row[column] for column in reference.SONG_COLUMNS) for row in rows]
    frame = spark.createDataFrame(values, ", ".join(f"{column} STRING" for column in reference.SONG_COLUMNS))
    return {row["track_id"]: row for row in reference.songs(frame).collect()}


@pytest.mark.parametrize("name", SONGS)
def test_a_track_has_its_first_row_and_all_its_genres(songs, name):
    usual = {"track_id": track(name), "track_name": "n", "artists": "a", "duration_ms": 1000, "genres": ["pop"]}
    assert songs[track(name)].asDict() == usual | SONGS[name][1]


def test_invalid_rows_are_left_out(songs):
    assert set(songs) == set(map(track, SONGS))


USERS = [
    *(("1", "DE"), ("2", ""), ("2", None), ("3", "fr"), ("3", "FR"), ("3", "")),
    *(("004", "US"), ("4", "UK"), (str(2**63 - 1), "ÅX"), ("5", " ")),
    *((bad, "XX") for bad in ("", None, "0", "-6", "6.0", " 6", "x", str(2**63), "0" * 19 + "6")),
]


def test_a_user_has_the_smallest_country_that_is_not_empty(spark):
    rows = reference.users(spark.createDataFrame(USERS, "user_id STRING, user_country STRING")).collect()
    assert {row["user_id"]: row["user_country"] for row in rows} == {1: "DE", 3: "FR", 4: "UK", 2**63 - 1: "ÅX", 5: " "}
