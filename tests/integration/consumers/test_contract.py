"""The items of the pipeline, the schemas and the reader's types agree."""

import dataclasses
import typing
from datetime import UTC, date, datetime
from decimal import Decimal
from types import GenericAlias
from typing import Any

import pytest

from music_streams import reader
from music_streams.load.items import item
from music_streams.state.run_files import SourceOutcome, Summary, write_result
from music_streams.state.statuses import Status
from tests.integration.consumers import contract
from tests.integration.consumers.contract import EVENT, ITEM, KINDS, faults, of_kind
from tests.integration.consumers.metrics_table import STAMP, items
from tests.integration.domain.run import RUN_ID
from tests.integration.domain.world import always
from tests.integration.transform import computed

TYPES = {
    "genre_day": reader.GenreDay,
    "country_day": reader.CountryDay,
    "day_summary": reader.DaySummary,
    "track_day": reader.TrackDay,
    "top_song": reader.TopSong,
    "top_genre": reader.TopGenre,
}
KIND_OF_KEY = {"GENRE": "genre_day", "COUNTRY": "country_day", "DAY": "day_summary", "TRACK": "track_day"}
# The attributes that the reader derives from an item's keys.
FROM_KEYS: dict[str, dict[str, type]] = {
    "genre_day": {"genre": str},
    "country_day": {"country": str},
    "track_day": {"track_id": str, "day": date},
}
LISTENS = "user_id long, track_id string, listened_at timestamp, duration_ms int, track_name string, artists string, \
genres array<string>, user_country string, source_id string, reference_version long"


def kind_of(found: dict[str, Any]) -> str:
    return KIND_OF_KEY[found["pk"].partition("#")[0]]


def example(kind: str) -> dict[str, Any]:
    """Return a real item of a kind."""
    return next(found for found in items() if kind_of(found) == kind)


@pytest.mark.parametrize("schema", [ITEM, EVENT], ids=["item", "event"])
def test_the_schemas_are_valid_json_schema(schema):
    contract.check_itself(schema)


def test_every_item_in_the_table_has_one_kind_and_no_other_attributes(table):
    stored = table.stored()
    assert {kind_of(found) for found in stored} == set(KINDS)
    for found in stored:
        assert list(faults(of_kind(kind_of(found)), found)) == [], found["pk"]
        assert contract.is_valid(ITEM, found), found["pk"]


def test_items_of_the_transform_match_the_schema(spark):
    at = datetime(2024, 6, 25, 12, tzinfo=UTC)
    tracks = [f"SomeTrack{n:013}" for n in range(7)]
    heard = [
        (user, track, at, 200_000 + n, f"Name {n}" if n else "", "Artists", [f"genre-{n}", "pop"], country, "a", 1)
        for n, track in enumerate(tracks)
        for user, country in ((1, "Germany"), (2, "unknown"))
    ]
    rows = computed.items(spark.createDataFrame(heard, LISTENS), track_metrics=True).collect()
    made = [item(row.asDict(recursive=True), STAMP) for row in rows]
    assert {kind_of(found) for found in made} == set(KINDS)
    assert max(len(found.get("top_songs", [])) for found in made) == 3
    assert max(len(found.get("top_genres", [])) for found in made) == 5
    assert [fault for found in made for fault in faults(of_kind(kind_of(found)), found)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_that_lacks_an_attribute_is_invalid(kind):
    whole = example(kind)
    for name in whole:
        without = {key: value for key, value in whole.items() if key != name}
        assert list(faults(of_kind(kind), without)), name


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"listen_count": 0}, "listen_count"),
        ({"unique_listeners": Decimal("1.5")}, "unique_listeners"),
        ({"total_listening_time_ms": "200000"}, "total_listening_time_ms"),
        ({"avg_listening_time_per_user_ms": "200000.00"}, "avg_listening_time_per_user_ms"),
        ({"day": "2024-06-31"}, "day"),
        ({"sk": "2024-06-25"}, "sk"),
        ({"pk": "GENRE#"}, "pk"),
        ({"updated_at": "2024-06-27 04:10:32"}, "updated_at"),
        ({"version": 0}, "version"),
        ({"top_songs": []}, "top_songs"),
        ({"top_songs": [{"rank": 1}]}, "top_songs[0]"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_item_with_an_invalid_value_is_invalid(change, path):
    errors = list(faults(of_kind("genre_day"), {**example("genre_day"), **change}))
    assert errors
    assert all(path in error for error in errors)


@pytest.mark.parametrize("kind", TYPES)
def test_the_readers_types_have_the_attributes_of_the_schema(kind):
    in_schema = {
        name: _python_type(schema)
        for name, schema in contract.attributes(ITEM["$defs"][kind]).items()
        if name not in {"pk", "sk", "track_day"}
    }
    hints = typing.get_type_hints(TYPES[kind])
    assert {each.name: hints[each.name] for each in dataclasses.fields(TYPES[kind])} == in_schema | FROM_KEYS.get(
        kind, {}
    )


def test_the_readers_event_has_the_attributes_of_the_schema():
    hints = typing.get_type_hints(reader.MetricsPublished)
    assert hints == {name: _python_type(schema) for name, schema in contract.attributes(EVENT).items()}


def _python_type(schema: contract.Schema) -> Any:
    if schema["type"] == "array":
        entry = schema["items"]
        name = entry.get("$ref", "").rsplit("/", 1)[-1]
        return GenericAlias(tuple, (TYPES[name] if name else _python_type(entry), ...))
    named = {"date": date, "date-time": datetime}
    plain = {"integer": int, "number": Decimal, "string": str}
    return named.get(schema.get("format", "")) or plain[schema["type"]]


@pytest.mark.parametrize("has_changes", [True, False])
def test_the_event_of_a_run_matches_the_schema_and_can_be_parsed(world, has_changes):
    source = world.upload()
    folder = world.batch(source)
    arn = world.execution_arn(f"{folder.batch_id}-1")
    world.batch(source, status=Status.RUNNING, execution_arn=arn)
    days = ["2024-06-24", "2024-06-25"] if has_changes else []
    outcome = SourceOutcome(5, 5, {}, days) if has_changes else SourceOutcome(5, 0, {"unknown_track": 5}, days)
    lake = (7, "uuid") if has_changes else (0, "")
    sources = {source.source_id: outcome}
    summary = Summary(folder.batch_id, f"{folder.batch_id}-1", *lake, days, "metrics/1", sources)
    write_result(world.s3, folder, RUN_ID, summary)

    world.sent_events()
    world.settlement.settle(folder.manifest_uri, arn, RUN_ID, always)

    [sent] = world.sent_events()
    assert list(faults(EVENT, sent["detail"])) == []
    event = reader.MetricsPublished.of_event(sent)
    assert event.days == tuple(map(date.fromisoformat, days))
    assert (event.batch_id, event.sources, event.rows_accepted) == (folder.batch_id, 1, outcome.rows_accepted)
