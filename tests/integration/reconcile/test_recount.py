"""The recount in SQL, compared with the contract's metrics in plain loops."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_streams.reconcile.recount import recount
from tests.integration.reconcile import contract
from tests.integration.reconcile.contract import batches, listen

NAMES = ["a", "Z", "é", "e\u0301", "～", "\U0001d11e", "\U0001d11f", "pop", "pop#rock", "ﬀ", "a'b\"", "\n", "ß", "İ"]
TEXTS = ["", *NAMES]
TRACKS = ["A", "B", "a", "b"]
USERS = [1, 2, 2**63 - 1]
FIRST_DAY = datetime(2024, 6, 24, tzinfo=UTC)
INSTANTS = [FIRST_DAY + timedelta(hours=12) * n for n in range(5)]
INSTANTS += [FIRST_DAY + timedelta(days=1, microseconds=-1), FIRST_DAY - timedelta(microseconds=1)]


@st.composite
def tables(draw: st.DrawFn) -> list[contract.Row]:
    """Rows of `listens`: in one version of the reference data, a track or user has the same attributes in all rows."""
    song = st.fixed_dictionaries(
        {
            "duration_ms": st.sampled_from([1, 2, 3, 5, 7, 2**31 - 1]),
            "track_name": st.sampled_from(TEXTS),
            "artists": st.sampled_from(TEXTS),
            "genres": st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
        }
    )
    provenances = [(version, source) for version in (1, 2) for source in "ab"]
    songs = draw(st.fixed_dictionaries({(by, track): song for by in provenances for track in TRACKS}))
    country = st.sampled_from(NAMES[:4])
    countries = draw(st.fixed_dictionaries({(by, user): country for by in provenances for user in USERS}))
    choices: list[Any] = [INSTANTS, USERS, TRACKS, provenances, ["x-1", "x-2"]]
    row = st.tuples(*(st.sampled_from(values) for values in choices))
    return [
        listen(
            instant.isoformat(),
            user,
            track,
            **songs[by, track],
            user_country=countries[by, user],
            source_id=by[1] * 32,
            execution=execution,
            reference_version=by[0],
        )
        for instant, user, track, by, execution in draw(st.lists(row, max_size=40))
    ]


def by_key(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: (item["pk"], item["sk"]))


def counted(*rows: contract.Row) -> dict[str, dict[str, Any]]:
    """Return the items by partition key."""
    return {item["pk"]: item for item in recount(batches(list(rows)), track_metrics=True).items}


@settings(deadline=None)  # Each example creates a database.
@given(rows=tables(), track_metrics=st.booleans())
def test_every_item_equals_the_contract_whatever_the_listens(rows, track_metrics):
    counted_days = recount(batches(rows), track_metrics=track_metrics)
    assert by_key(counted_days.items) == contract.items(rows, track_metrics=track_metrics)


@settings(deadline=None, max_examples=20)
@given(rows=tables())
def test_the_order_of_the_rows_does_not_matter(rows):
    assert recount(batches(rows[::-1]), track_metrics=True) == recount(batches(rows), track_metrics=True)


def test_a_day_without_listens_has_no_items():
    empty = recount([], track_metrics=True)
    assert (empty.items, empty.sources) == ([], {})


def test_numbers_have_the_types_that_dynamodb_stores():
    rows = [listen(f"2024-06-25 00:00:{n:02}", n, duration_ms=2 if n == 1 else 1) for n in range(1, 9)]
    item = counted(*rows)["DAY#2024-06-25"]
    assert (item["listen_count"], item["unique_listeners"], item["total_listening_time_ms"]) == (8, 8, 9)
    assert str(item["avg_listening_time_per_user_ms"]) == "1.13"  # 1.125, half up
    assert type(item["total_listening_time_ms"]) is type(item["top_genres"][0]["total_listening_time_ms"]) is int


def test_with_equal_listens_more_listeners_come_first():
    often = [listen(f"2024-06-25 10:00:0{n}", 1, "A", genres=["by one"]) for n in range(2)]
    by_two = [listen("2024-06-25 10:00:00", user, "B", genres=["by two"]) for user in (1, 2)]
    items = counted(*often, *by_two)
    assert [song["track_id"][0] for song in items["COUNTRY#DE"]["top_songs"]] == ["B", "A"]
    assert [entry["genre"] for entry in items["DAY#2024-06-25"]["top_genres"]] == ["by two", "by one"]


def test_text_is_ordered_by_code_point():
    genres = ["\U0001d11f", "\U0001d11e", "～", "é", "a", "Z"]  # in UTF-16 the astral ones come before the ～
    items = counted(listen("2024-06-25 10:00:00", genres=genres))
    assert [entry["genre"] for entry in items["DAY#2024-06-25"]["top_genres"]] == genres[:0:-1]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_days_are_in_utc_in_every_time_zone(zone, monkeypatch):
    with monkeypatch.context() as environment:
        environment.setenv("TZ", zone)
        time.tzset()
        items = counted(listen("2024-06-25 23:59:59.999999"), listen("2024-06-25 00:00:00"))
    time.tzset()
    assert items["DAY#2024-06-25"]["listen_count"] == 2


def test_the_sources_of_each_day_are_returned():
    a, b = "a" * 32, "b" * 32
    rows = [listen(f"2024-06-{day} 10:00:00", source_id=source) for day, source in ((25, a), (25, a), (26, a), (25, b))]
    assert recount(batches(rows), track_metrics=False).sources == {"2024-06-25": {a, b}, "2024-06-26": {a}}
