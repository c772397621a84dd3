"""The accepted rows of reference files are reduced to one row a track and one a user (docs/design.md, section 3)."""

from typing import Any

import pytest

from music_streams.transform.spark import reference


def track(name: str) -> str:
    """A valid track_id."""
    return name.ljust(22, "0")


def song(name: str, **changes: Any) -> tuple[Any, ...]:
    row = {"id": "1", "track_id": track(name), "track_name": "n", "artists": "a", "duration_ms": 1000}
    return tuple({**row, "track_genre": "pop", **changes}.values())


Changes = dict[str, Any]
# A track -> how its rows differ from the default, and how its row in the result differs.
SONGS: dict[str, tuple[list[Changes], Changes]] = {
    "one": ([{}], {}),
    "genres": ([{"track_genre": g} for g in ("rock", "pop", "é", "Z", "pop")], {"genres": ["Z", "pop", "rock", "é"]}),
    "numeric": ([{"id": "10", "track_name": "b"}, {"id": "9", "track_name": "a"}], {"track_name": "a"}),
    "great": ([{"id": "9" * 30, "track_name": "b"}, {"id": "9" * 29, "track_name": "c"}], {"track_name": "c"}),
    "noid": ([{"id": "7", "track_name": "z"}, {"id": None, "track_name": "a"}], {"track_name": "z"}),
    "names": ([{"track_name": name} for name in ("b", "a", "é")], {"track_name": "a"}),
    "artists": ([{"artists": artists} for artists in ("b", "B")], {"artists": "B"}),
    "durations": ([{"duration_ms": ms} for ms in (1000, 999, 2000)], {"duration_ms": 999}),
}


@pytest.fixture(scope="module")
def songs(spark):
    """All cases in one job: each has its own track."""
    rows = [song(name, **row) for name, (case, _) in SONGS.items() for row in case]
    return {row["track_id"]: row for row in reference.songs(spark.createDataFrame(rows, reference.SONG_ROWS)).collect()}


@pytest.mark.parametrize("name", SONGS)
def test_a_track_has_its_first_row_and_all_its_genres(songs, name):
    usual = {"track_id": track(name), "track_name": "n", "artists": "a", "duration_ms": 1000, "genres": ["pop"]}
    assert songs[track(name)].asDict() == usual | SONGS[name][1]


def test_a_user_has_the_smallest_country(spark):
    users = [(1, "DE"), (3, "fr"), (3, "FR"), (2**63 - 1, "ÅX"), (5, " ")]
    rows = reference.users(spark.createDataFrame(users, reference.USER_ROWS)).collect()
    assert {row["user_id"]: row["user_country"] for row in rows} == {1: "DE", 3: "FR", 2**63 - 1: "ÅX", 5: " "}
