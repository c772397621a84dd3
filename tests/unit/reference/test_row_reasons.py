"""Why rows of songs and users files are not usable (docs/design.md, section 3)."""

import pyarrow as pa
import pytest

from music_streams.reference.row_reasons import COLUMNS, classify
from music_streams.state.object_keys import Kind

TRACK = "x" * 22
SONG = {"id": "1", "track_id": TRACK, "track_name": "n", "artists": "a", "duration_ms": "1000", "track_genre": "pop"}
USER = {"user_id": "7", "user_country": "Chile"}
BAD_NUMBERS = ("0", "000", "-1", "+1", "1.0", " 1", "1 ", "1e3", "210,000", "9" * 40, "٣", "1\n")


def result(kind: Kind, **changes: str) -> object:
    """Return the accepted row, or the reason of the rejected one."""
    row = (SONG if kind is Kind.SONGS else USER) | changes
    table = pa.table({name: [row[name]] for name in COLUMNS[kind]})
    classified = classify(kind, table)
    if classified.accepted.num_rows:
        assert not classified.rejected
        return classified.accepted.to_pylist()[0]
    [(reason, count)] = classified.rejected.items()
    assert count == 1
    return reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"track_id": "", "duration_ms": ""}, "missing_track_id"),
        *(({"track_id": bad}, "bad_track_id") for bad in (f"{TRACK}x", "x", f"{TRACK[:-1]}-", f"{TRACK}\n", "é" * 22)),
        ({"duration_ms": "", "track_genre": ""}, "missing_duration"),
        *(({"duration_ms": bad}, "bad_duration") for bad in (*BAD_NUMBERS, str(2**31))),
        ({"track_genre": ""}, "missing_genre"),
        ({"track_genre": "é" * 500 + "x"}, "too_long"),
        ({"track_name": "é" * 10_000, "artists": "x"}, "too_long"),
    ],
)
def test_a_songs_row_counts_for_the_first_reason_that_applies(changes, reason):
    assert result(Kind.SONGS, **changes) == reason


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, {}),
        ({"duration_ms": "0000000000000000000000007"}, {"duration_ms": 7}),
        ({"duration_ms": str(2**31 - 1)}, {"duration_ms": 2**31 - 1}),
        ({"id": "007"}, {"id": "7"}),
        ({"id": "9" * 30}, {"id": "9" * 30}),
        *(({"id": other}, {"id": None}) for other in ("", "x", "-1", " 1")),
        ({"track_name": "", "artists": "a\r\nb"}, {}),
        ({"track_genre": "é" * 500, "track_name": "x" * 10_000, "artists": "x" * 10_000}, {}),
    ],
)
def test_a_usable_songs_row_is_typed(changes, accepted):
    assert result(Kind.SONGS, **changes) == SONG | {"duration_ms": 1000} | changes | accepted


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user_id": "", "user_country": ""}, "missing_user_id"),
        *(({"user_id": bad}, "bad_user_id") for bad in (*BAD_NUMBERS, str(2**63), "0" * 19 + "6")),
        ({"user_country": ""}, "missing_country"),
        ({"user_country": "x" * 1_001}, "too_long"),
        ({"user_id": "004"}, {"user_id": 4, "user_country": "Chile"}),
        ({"user_id": str(2**63 - 1), "user_country": " "}, {"user_id": 2**63 - 1, "user_country": " "}),
    ],
)
def test_a_users_row_is_usable_or_counts_for_the_first_reason_that_applies(changes, expected):
    assert result(Kind.USERS, **changes) == expected


def test_all_rows_are_counted():
    songs = pa.table({name: [SONG[name]] * 3 for name in COLUMNS[Kind.SONGS]})
    songs = songs.set_column(1, "track_id", pa.array(["", "", TRACK]))
    classified = classify(Kind.SONGS, songs)
    assert (classified.accepted.num_rows, classified.rejected) == (1, {"missing_track_id": 2})
