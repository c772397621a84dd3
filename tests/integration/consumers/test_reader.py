"""The reader's queries, with the template's table and items as the pipeline writes them."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from music_streams.reader import (
    CountryDay,
    DaySummary,
    GenreDay,
    MetricsReader,
    TopGenre,
    TopSong,
    TrackDay,
    UnreadableMetrics,
)
from tests.aws import TEMPLATE
from tests.integration.consumers.metrics_table import STAMP, TABLE, items
from tests.template import as_list

BEFORE, DAY, AFTER = (date(2024, 6, day) for day in (24, 25, 26))
MONTH = (date(2024, 6, 1), date(2024, 6, 30))
TRACK = "PaperLantern0000000001"
OF_THE_RUN: dict[str, Any] = {
    "version": STAMP.version,
    "lake_uuid": STAMP.lake_uuid,
    "batch_id": STAMP.batch_id,
    "updated_at": datetime(2024, 6, 27, 4, 10, 32, 871_000, tzinfo=UTC),
}
EVERY_QUERY = {
    "genre_day": ("pop", DAY),
    "genre_days": ("pop", *MONTH),
    "country_day": ("Germany", DAY),
    "country_days": ("Germany", *MONTH),
    "day": (DAY,),
    "days": MONTH,
    "genres_of_day": (DAY,),
    "countries_of_day": (DAY,),
    "items_of_day": (DAY,),
    "track_day": (TRACK, DAY),
    "track_days": (TRACK, *MONTH),
}


@contextmanager
def requests_of(dynamodb: Any):
    """Record the requests to DynamoDB within the block: operation and parameters."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, params))

    dynamodb.meta.events.register("before-parameter-build.dynamodb", note)
    try:
        yield seen
    finally:
        dynamodb.meta.events.unregister("before-parameter-build.dynamodb", note)


def item_of(prefix: str) -> dict[str, Any]:
    return next(item for item in items() if item["pk"].startswith(prefix))


def measured(listens: int, listeners: int, milliseconds: int, average: str) -> dict[str, Any]:
    """Return the common attributes of an item of the day: the day, four numbers, the run."""
    numbers = {"listen_count": listens, "unique_listeners": listeners, "total_listening_time_ms": milliseconds}
    return {"day": DAY, **numbers, "avg_listening_time_per_user_ms": Decimal(average), **OF_THE_RUN}


def test_genre_day_returns_a_genre_on_a_day(reader):
    lantern = TopSong(1, TRACK, "Paper Lantern", "Kofi Tide", 4, 3, 800_000)
    engine = TopSong(2, "MidnightEngine00000003", "Midnight Engine", "The Tin Foxes", 2, 2, 480_500)
    measures = measured(6, 3, 1_280_500, "426833.33")
    assert reader.genre_day("pop", DAY) == GenreDay(genre="pop", top_songs=(lantern, engine), **measures)


def test_country_day_returns_a_country_on_a_day(reader):
    coast = TopSong(1, "HollowCoast00000000004", "Hollow Coast", "DJ Ostrich", 1, 1, 151_001)
    measures = measured(1, 1, 151_001, "151001.00")
    assert reader.country_day("unknown", DAY) == CountryDay(country="unknown", top_songs=(coast,), **measures)


def test_day_returns_the_summary_of_a_day(reader):
    genres = (("jazz", 6, 4, 1_167_000), ("pop", 6, 3, 1_280_500), ("techno", 1, 1, 151_001))
    top_genres = tuple(TopGenre(rank, *genre) for rank, genre in enumerate(genres, start=1))
    assert reader.day(DAY) == DaySummary(top_genres=top_genres, **measured(9, 5, 1_798_501, "359700.20"))


def test_track_day_returns_a_track_on_a_day(reader):
    assert reader.track_day(TRACK, DAY) == TrackDay(track_id=TRACK, **measured(4, 3, 800_000, "266666.67"))


def test_missing_items_are_none_or_an_empty_list(reader):
    other = date(2024, 7, 1)
    assert reader.genre_day("polka", DAY) is None
    assert reader.country_day("Atlantis", DAY) is None
    assert reader.track_day("0" * 22, DAY) is None
    assert reader.day(other) is None
    assert reader.genre_days("polka", *MONTH) == []
    assert reader.days(other, other) == []
    assert reader.items_of_day(other) == []


def test_a_range_includes_both_ends_and_is_sorted_by_day(reader):
    assert [each.day for each in reader.genre_days("pop", BEFORE, AFTER)] == [BEFORE, DAY, AFTER]
    assert [each.day for each in reader.genre_days("pop", DAY, DAY)] == [DAY]
    assert [each.day for each in reader.country_days("Ghana", *MONTH)] == [BEFORE, DAY]
    assert [each.day for each in reader.track_days(TRACK, *MONTH)] == [BEFORE, DAY]


def test_days_of_a_long_range_are_sorted(reader, table):
    with requests_of(table.dynamodb) as seen:
        found = reader.days(DAY - timedelta(days=200), DAY + timedelta(days=49))
    assert [(each.day, each.listen_count) for each in found] == [(BEFORE, 2), (DAY, 9), (AFTER, 1)]
    assert [len(params["RequestItems"][TABLE]["Keys"]) for _, params in seen] == [100, 100, 50]


def test_genres_and_countries_of_a_day_are_sorted_by_name(reader):
    assert [each.genre for each in reader.genres_of_day(DAY)] == ["jazz", "pop", "techno"]
    assert [each.country for each in reader.countries_of_day(DAY)] == ["Germany", "Ghana", "Japan", "unknown"]


def test_items_of_a_day_equal_those_of_the_single_queries_without_tracks(reader):
    found = reader.items_of_day(DAY)
    assert found == [*reader.countries_of_day(DAY), reader.day(DAY), *reader.genres_of_day(DAY)]
    assert not [each for each in found if isinstance(each, TrackDay)]


def test_a_day_of_several_pages_is_complete(table, reader):
    day = date(2024, 8, 1)
    one = item_of("GENRE#")
    song = {**one["top_songs"][0], "artists": "A" * 30_000}
    moved = {**one, "sk": f"DAY#{day}", "day": str(day), "top_songs": [song]}
    table.put(*({**moved, "pk": f"GENRE#{n:03}"} for n in range(80)))
    with requests_of(table.dynamodb) as seen:
        assert [each.genre for each in reader.genres_of_day(day)] == [f"{n:03}" for n in range(80)]
    assert len(seen) > 2


@pytest.mark.parametrize("genre", ["forró", "r#n#b", "drum and bass", "J-POP"])
def test_a_name_is_returned_unchanged(table, reader, genre):
    day = date(2024, 8, 2)
    table.put({**item_of("GENRE#"), "pk": f"GENRE#{genre}", "sk": f"DAY#{day}", "day": str(day)})
    item = reader.genre_day(genre, day)
    assert item.genre == genre
    assert item in reader.genres_of_day(day)


@pytest.mark.parametrize(("stored", "read"), [("150.5", "150.50"), ("2E+5", "200000.00"), ("0.01", "0.01")])
def test_the_average_has_two_decimals_although_dynamodb_drops_zeros(table, reader, stored, read):
    day = date(2024, 8, 3)
    changed = {"pk": f"DAY#{day}", "day": str(day), "avg_listening_time_per_user_ms": Decimal(stored)}
    table.put({**item_of("DAY#"), **changed})
    assert str(reader.day(day).avg_listening_time_per_user_ms) == read


def test_the_error_for_an_unreadable_item_names_its_key(table, reader):
    table.put({"pk": "DAY#2024-08-04", "sk": "SUMMARY", "day": "2024-08-04", "listen_count": 1})
    with pytest.raises(UnreadableMetrics, match=r"DAY#2024-08-04 / SUMMARY .*'top_genres'"):
        reader.day(date(2024, 8, 4))


def test_every_query_of_the_reader_is_tested():
    public = {name for name, value in vars(MetricsReader).items() if callable(value) and not name.startswith("_")}
    assert public == set(EVERY_QUERY)


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_with_consistent_reads_only_the_index_is_read_eventually(table, query):
    with requests_of(table.dynamodb) as seen:
        assert getattr(MetricsReader(TABLE, table.dynamodb, consistent=True), query)(*EVERY_QUERY[query])
    [(_, params)] = seen
    on_base = params.get("RequestItems", {TABLE: params})[TABLE]
    assert on_base.get("ConsistentRead", False) == (params.get("IndexName") != "by-day")


def test_the_policy_for_consumers_allows_exactly_the_requests_of_the_reader(table, reader):
    with requests_of(table.dynamodb) as seen:
        for query, arguments in EVERY_QUERY.items():
            getattr(reader, query)(*arguments)
    requested = {(f"dynamodb:{operation}", params.get("IndexName", "")) for operation, params in seen}

    policy = TEMPLATE["Resources"]["MetricsReaderPolicy"]["Properties"]["PolicyDocument"]
    places = {
        "{'Fn::GetAtt': ['MetricsTable', 'Arn']}": "",
        "{'Fn::Sub': '${MetricsTable.Arn}/index/by-day'}": "by-day",
    }
    allowed = {
        (action, places[str(resource)])
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert requested == allowed


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_the_error_for_a_missing_table_says_what_to_do(table, query):
    with pytest.raises(UnreadableMetrics, match=r"table wrong: .*MetricsTableName"):
        getattr(MetricsReader("wrong", table.dynamodb), query)(*EVERY_QUERY[query])


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("AccessDeniedException", UnreadableMetrics, "MetricsReaderPolicyArn"),
        ("ProvisionedThroughputExceededException", ClientError, "ProvisionedThroughputExceeded"),
    ],
)
def test_access_denied_says_what_to_do_and_other_aws_errors_are_unchanged(code, error, words):
    dynamodb = Mock(**{"get_item.side_effect": ClientError({"Error": {"Code": code, "Message": "no"}}, "GetItem")})
    with pytest.raises(error, match=words):
        MetricsReader(TABLE, dynamodb).day(DAY)
