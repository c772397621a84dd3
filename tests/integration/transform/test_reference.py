"""Reference rows become one row a track and one a user (docs/design.md, section 3, songs and users)."""

import pytest

from music_streams.transform.spark import reference


def track(name: str) -> str:
    """A valid track_id."""
    return name.ljust(22, "0")


def song(name, **changes):
    row = {"id": "1", "track_id": track(name), "track_name": "n", "artists": "a", "duration_ms": "1000"}
    return {**row, "track_genre": "pop", **changes}


SONGS = [  # rows of a track -> its row: name, artists, duration_ms, genres
    ("one", [song("one")], ("n", "a", 1000, ["pop"])),
    (
        "genres",
        [song("genres", track_genre=genre) for genre in ("rock", "pop", "é", "Z", "pop")],
        ("n", "a", 1000, ["Z", "pop", "rock", "é"]),
    ),
    (
        "numeric",
        [song("numeric", id="10", track_name="ten"), song("numeric", id="9", track_name="nine")],
        ("nine", "a", 1000, ["pop"]),
    ),
    (
        "leading",
        [song("leading", id="0009", track_name="nine"), song("leading", id="10", track_name="ten")],
        ("nine", "a", 1000, ["pop"]),
    ),
    (
        "great",
        [song("great", id="9" * 30, track_name="greater"), song("great", id="9" * 29, track_name="smaller")],
        ("smaller", "a", 1000, ["pop"]),
    ),
    (
        "noid",
        [song("noid", id=id_, track_name="a") for id_ in ("", None, "x", "-1", " 1")]
        + [song("noid", id="7", track_name="z")],
        ("z", "a", 1000, ["pop"]),
    ),
    ("names", [song("names", track_name=name) for name in ("b", "a", "é")], ("a", "a", 1000, ["pop"])),
    ("artists", [song("artists", artists=artists) for artists in ("b", "B")], ("n", "B", 1000, ["pop"])),
    ("durations", [song("durations", duration_ms=ms) for ms in ("1000", "0999", "2000")], ("n", "a", 999, ["pop"])),
    ("nulls", [song("nulls", track_name=None, artists=None)], ("", "", 1000, ["pop"])),
    ("longest", [song("longest", duration_ms=str(2**31 - 1))], ("n", "a", 2**31 - 1, ["pop"])),
    (
        "ignored",
        [song("ignored", duration_ms="0", track_genre="rock"), song("ignored", id="2")],
        ("n", "a", 1000, ["pop"]),
    ),
]
INVALID = [
    song("x", track_id=track("x") + "0"),
    song("x", track_id="x"),
    song("x", track_id=track("x")[:-1] + "-"),
    song("x", track_id=track("x") + "\n"),
    song("x", track_id=""),
    song("x", track_id=None),
    song("x", track_genre=""),
    song("x", track_genre=None),
    *(song("x", duration_ms=ms) for ms in ("", None, "0", "-1", "+1", "1.0", " 1", "1 ", "1e3", str(2**31), "9" * 40)),
]


@pytest.fixture(scope="module")
def songs(spark):
    """All cases at once: each is about a track of its own."""
    rows = [row for _, case, _ in SONGS for row in case] + INVALID
    values = [tuple(row[column] for column in reference.SONG_COLUMNS) for row in rows]
    frame = spark.createDataFrame(values, ", ".join(f"{column} STRING" for column in reference.SONG_COLUMNS))
    return {row["track_id"]: row for row in reference.songs(frame).collect()}


@pytest.mark.parametrize(("name", "expected"), [(name, row) for name, _, row in SONGS], ids=[s[0] for s in SONGS])
def test_a_track_has_its_first_row_and_all_its_genres(songs, name, expected):
    row = songs[track(name)]
    assert (row["track_name"], row["artists"], row["duration_ms"], row["genres"]) == expected


def test_invalid_rows_are_left_out(songs):
    assert set(songs) == {track(name) for name, _, _ in SONGS}


USERS = [
    ("1", "DE"),
    ("2", ""),
    ("2", None),
    ("3", "fr"),
    ("3", "FR"),
    ("3", ""),
    ("004", "US"),
    ("4", "UK"),
    (str(2**63 - 1), "ÅX"),
    ("5", " "),
    *((bad, "XX") for bad in ("", None, "0", "-6", "6.0", " 6", "x", str(2**63), "0" * 19 + "6")),
]


def test_a_user_has_the_smallest_country_that_is_not_empty(spark):
    rows = reference.users(spark.createDataFrame(USERS, "user_id STRING, user_country STRING")).collect()
    assert {row["user_id"]: row["user_country"] for row in rows} == {1: "DE", 3: "FR", 4: "UK", 2**63 - 1: "ÅX", 5: " "}
