"""Documents that the load stores: its report, fences and metrics."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from music_streams.load import job
from music_streams.load.fence import DayPublisher, DayToPublish
from music_streams.load.items import Provenance
from music_streams.reader import CountryDay, DaySummary, GenreDay, MetricsReader, TopGenre, TopSong, TrackDay
from music_streams.state import run_files
from music_streams.state.run_files import LoadReport, Manifest, Summary
from tests.compatibility.stored.kinds import Stored, in_s3, of_run
from tests.compatibility.stored.run import BATCH, DAY, EXECUTION, FOLDER, RUN, TRACK
from tests.compatibility.stored.sources import ARRIVED
from tests.compatibility.world import FILES, LAKE, METRICS, Document, World

_DATE, _SK = date.fromisoformat(DAY), f"DAY#{DAY}"
_TOTALS = {"listen_count": 5, "unique_listeners": 2, "total_listening_time_ms": 1_000}
_SONG = {"rank": 1, "track_id": TRACK, "track_name": "Söng", "artists": "Bänd", **_TOTALS}
_GENRE = {"rank": 1, "genre": "pop", **_TOTALS}
_ROW = {"day": DAY, **_TOTALS, "avg_hundredths_ms": 50_050, "top_songs": None, "top_genres": None}
ROWS: list[dict[str, Any]] = [
    {"pk": "COUNTRY#FR", "sk": _SK, **_ROW, "top_songs": [_SONG]},
    {"pk": _SK, "sk": "SUMMARY", **_ROW, "top_genres": [_GENRE]},
    {"pk": "GENRE#pop", "sk": _SK, **_ROW, "top_songs": [_SONG]},
    {"pk": f"TRACK#{TRACK}", "sk": _SK, **_ROW},
]
"""A day's metrics as the transform writes them to Parquet."""


def _load(world: World) -> None:
    """Publish a day."""
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
    """Publish an older run, a newer one without a genre, and one of a new lake; return the results and the items."""
    country, *others = ({"pk": pk, "sk": _SK} for pk in ("COUNTRY#FR", "GENRE#pop", "GENRE#unlisted"))
    for key in (country, *others):
        world.dynamodb.put_item(TableName=METRICS, Item={**key, "version": 7, "lake_uuid": "lake-1"})
    published = {}
    for version, lake in ((6, "lake-1"), (8, "lake-1"), (1, "lake-2")):
        provenance = Provenance(version, lake, BATCH, ARRIVED)
        item = {**country, "version": version, "lake_uuid": lake}
        published[version, lake] = DayPublisher(world.dynamodb, FILES, METRICS, provenance).publish(
            [DayToPublish(DAY, [item])]
        )
    return published, sorted(item["pk"] for item in world.dynamodb.scan(TableName=METRICS)["Items"])


def _metrics(name: str, pk: str, sk: str, read: Callable[[MetricsReader], tuple[object, ...]], means: object) -> Stored:
    """Return the kind of an item of MetricsTable; `read` reads it with every method of the reader."""

    def read_once(world: World) -> object:
        [value] = set(read(MetricsReader(METRICS, world.dynamodb)))  # table and index return the same
        return value

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
_POP = GenreDay(**_METRICS, genre="pop", top_songs=_TOP_SONGS)
_FRANCE = CountryDay(**_METRICS, country="FR", top_songs=_TOP_SONGS)
_SUMMARY = DaySummary(**_METRICS, top_genres=(TopGenre(1, "pop", 5, 2, 1_000),))
_TRACK_DAY = TrackDay(**_METRICS, track_id=TRACK)
# The fence lists GENRE#pop, so the newer run deletes it; it does not list GENRE#unlisted.
_LEFT = ({(6, "lake-1"): [], (8, "lake-1"): [DAY], (1, "lake-2"): [DAY]}, ["COUNTRY#FR", "GENRE#unlisted"])
_load_report = of_run(lambda s3, folder: run_files.find_load_report(s3, folder, RUN))
LOAD = [
    in_s3("runs/load-report", _load, "/load.json", _load_report, LoadReport(4, 0)),
    _stored_item("fence", FILES, {"source_id": f"FENCE#{DAY}"}, _behind_fence, _LEFT),
    _metrics("genre", "GENRE#pop", _SK, lambda r: (r.genre_day("pop", _DATE), *r.genres_of_day(_DATE)), _POP),
    _metrics("country", "COUNTRY#FR", _SK, lambda r: (r.country_day("FR", _DATE), *r.countries_of_day(_DATE)), _FRANCE),
    _metrics("day", _SK, "SUMMARY", lambda r: (r.day(_DATE), *r.items_of_day(_DATE)), _SUMMARY),
    _metrics("track", f"TRACK#{TRACK}", _SK, lambda r: (r.track_day(TRACK, _DATE),), _TRACK_DAY),
]
