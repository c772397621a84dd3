"""What the load stores: its report, fences and metrics."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from music_streams.load import job
from music_streams.load.fence import Day, Fence
from music_streams.load.items import Stamp
from music_streams.reader import CountryDay, DaySummary, GenreDay, MetricsReader, TopGenre, TopSong, TrackDay
from music_streams.state import run_files
from music_streams.state.run_files import LoadReport, Manifest, Summary
from tests.compatibility.stored.kinds import Stored, in_s3, of_run
from tests.compatibility.stored.run import BATCH, DAY, EXECUTION, FOLDER, RUN, TRACK
from tests.compatibility.stored.sources import ARRIVED
from tests.compatibility.world import FILES, LAKE, METRICS, Document, World

_DATE = date.fromisoformat(DAY)
_TOTALS = {"listen_count": 5, "unique_listeners": 2, "total_listening_time_ms": 1_000}
_SONG = {"rank": 1, "track_id": TRACK, "track_name": "Söng", "artists": "Bänd", **_TOTALS}
_GENRE = {"rank": 1, "genre": "pop", **_TOTALS}
_ROW = {"day": DAY, **_TOTALS, "avg_hundredths_ms": 50_050, "top_songs": None, "top_genres": None}
ROWS: list[dict[str, Any]] = [
    {"pk": "COUNTRY#FR", "sk": f"DAY#{DAY}", **_ROW, "top_songs": [_SONG]},
    {"pk": f"DAY#{DAY}", "sk": "SUMMARY", **_ROW, "top_genres": [_GENRE]},
    {"pk": "GENRE#pop", "sk": f"DAY#{DAY}", **_ROW, "top_songs": [_SONG]},
    {"pk": f"TRACK#{TRACK}", "sk": f"DAY#{DAY}", **_ROW},
]
"""A day as the transform hands it on in Parquet."""


def _load(world: World) -> None:
    """The load publishes a day."""
    run_files.write_manifest(world.s3, FOLDER, Manifest(BATCH, []))
    run_files.write_result(world.s3, FOLDER, RUN, Summary(BATCH, EXECUTION, 7, "lake-1", [DAY], f"metrics/{RUN}"))
    body = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(ROWS), body)
    key = FOLDER.key(f"metrics/{RUN}/part-0.parquet")
    world.s3.put_object(Bucket=LAKE, Key=key, Body=body.getvalue().to_pybytes())
    job.run(world.s3, world.dynamodb, FOLDER.manifest_uri, RUN, FILES, METRICS)


def _stored_item(name: str, table: str, key: dict[str, str], read: Callable[[World], object], means: object) -> Stored:
    def write(world: World) -> Document:
        _load(world)
        return world.item(table, **key)

    def read_back(world: World, document: Document) -> object:
        world.put_item(document)
        return read(world)

    return Stored(f"metrics/{name}", write, read_back, means)


def _behind_fence(world: World) -> object:
    """What a fence makes of an older run, of a newer one that has lost a genre, and what is left then."""
    country, *others = ({"pk": pk, "sk": f"DAY#{DAY}"} for pk in ("COUNTRY#FR", "GENRE#pop", "GENRE#unlisted"))
    for key in (country, *others):
        world.dynamodb.put_item(TableName=METRICS, Item={**key, "version": 7, "lake_uuid": "lake-1"})
    published = {}
    for version, lake in ((6, "lake-1"), (8, "lake-1"), (1, "lake-2")):
        stamp = Stamp(version, lake, BATCH, ARRIVED)
        item = {**country, "version": version, "lake_uuid": lake}
        published[version, lake] = Fence(world.dynamodb, FILES, METRICS, stamp).publish([Day(DAY, [item])])
    return published, sorted(item["pk"] for item in world.dynamodb.scan(TableName=METRICS)["Items"])


def _metrics(name: str, pk: str, sk: str, read: Callable[[MetricsReader], tuple[object, ...]], means: object) -> Stored:
    """An item of MetricsTable; `read` reads it in every way that there is."""

    def read_once(world: World) -> object:
        [found] = set(read(MetricsReader(METRICS, world.dynamodb)))  # the key and the index give the same
        return found

    return _stored_item(name, METRICS, {"pk": pk, "sk": sk}, read_once, means)


_METRICS: dict[str, Any] = {
    "day": _DATE,
    **_TOTALS,
    "avg_listening_time_per_user_ms": Decimal("500.50"),
    "version": 7,
    "lake_uuid": "lake-1",
    "batch_id": BATCH,
    "updated_at": datetime(2024, 6, 26, 8, 10, 1, tzinfo=UTC),
}
_TOP_SONGS = (TopSong(1, TRACK, "Söng", "Bänd", 5, 2, 1_000),)
_TOP_GENRES = (TopGenre(1, "pop", 5, 2, 1_000),)
LOAD = [
    in_s3(
        "runs/load-report",
        _load,
        "/load.json",
        of_run(lambda s3, folder: run_files.find_load_report(s3, folder, RUN)),
        LoadReport(4, 0),
    ),
    _stored_item(
        "fence",
        FILES,
        {"source_id": f"FENCE#{DAY}"},
        _behind_fence,
        # The fence lists GENRE#pop, so the newer run deletes it; of GENRE#unlisted it does not know.
        ({(6, "lake-1"): [], (8, "lake-1"): [DAY], (1, "lake-2"): [DAY]}, ["COUNTRY#FR", "GENRE#unlisted"]),
    ),
    _metrics(
        "genre",
        "GENRE#pop",
        f"DAY#{DAY}",
        lambda reader: (reader.genre_day("pop", _DATE), *reader.genres_of_day(_DATE)),
        GenreDay(**_METRICS, genre="pop", top_songs=_TOP_SONGS),
    ),
    _metrics(
        "country",
        "COUNTRY#FR",
        f"DAY#{DAY}",
        lambda reader: (reader.country_day("FR", _DATE), *reader.countries_of_day(_DATE)),
        CountryDay(**_METRICS, country="FR", top_songs=_TOP_SONGS),
    ),
    _metrics(
        "day",
        f"DAY#{DAY}",
        "SUMMARY",
        lambda reader: (reader.day(_DATE), *reader.items_of_day(_DATE)),
        DaySummary(**_METRICS, top_genres=_TOP_GENRES),
    ),
    _metrics(
        "track",
        f"TRACK#{TRACK}",
        f"DAY#{DAY}",
        lambda reader: (reader.track_day(TRACK, _DATE),),
        TrackDay(**_METRICS, track_id=TRACK),
    ),
]
