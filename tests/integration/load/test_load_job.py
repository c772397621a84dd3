"""The load as the Python Shell job runs it: a run's Parquet files become items, day by day."""

import io
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from music_streams.load.job import run
from music_streams.runs import RunFolder, SourceOutcome, Summary, write_summary
from tests.integration.domain.world import FILES, LAKE, METRICS

SONG = {
    "rank": 1,
    "track_id": "4dBa8T7oDV9WvGr7kVS4Ez",
    "track_name": "é𝄞",
    "artists": "",
    "listen_count": 3,
    "unique_listeners": 2,
    "total_listening_time_ms": 301,
}


def row(pk, sk, day, **changes):
    metrics = {"listen_count": 3, "unique_listeners": 2, "total_listening_time_ms": 301, "avg_hundredths_ms": 15050}
    return {"pk": pk, "sk": sk, "day": day, **metrics, "top_songs": None, "top_genres": None, **changes}


def put_run(world, version, days, *files):
    """A run's folder with its summary, and its metrics in Parquet files; answers the manifest's URI."""
    folder = RunFolder(LAKE, world.name("batch"))
    outcome = SourceOutcome(3, 3, {}, days)
    write_summary(
        world.s3, folder, Summary(folder.batch_id, "x-1", version, "uuid", days, "metrics/jr_1", {"s": outcome})
    )
    world.s3.put_object(Bucket=LAKE, Key=folder.key("metrics/jr_1/_SUCCESS"), Body=b"")
    world.s3.put_object(Bucket=LAKE, Key=folder.key("metrics/jr_10/part-0.parquet"), Body=b"of another try")
    for number, rows in enumerate(files):
        body = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), body)
        world.s3.put_object(Bucket=LAKE, Key=folder.key(f"metrics/jr_1/part-{number}.parquet"), Body=body.getvalue())
    return folder.manifest_uri


def load(world, manifest_uri):
    return run(world.s3, world.dynamodb, manifest_uri, FILES, METRICS)


@pytest.fixture
def keys(world):
    """What stands in the table, by key; the table is empty at first."""
    for item in world.dynamodb.scan(TableName=METRICS)["Items"]:
        world.dynamodb.delete_item(TableName=METRICS, Key={"pk": item["pk"], "sk": item["sk"]})

    def stand():
        return {(item["pk"], item["sk"]): item for item in world.dynamodb.scan(TableName=METRICS)["Items"]}

    return stand


def test_the_rows_of_all_files_become_items_of_their_days(world, keys):
    first = row("GENRE#pop", "DAY#2024-06-25", "2024-06-25", top_songs=[SONG])
    second = row("DAY#2024-06-26", "SUMMARY", "2024-06-26", top_genres=[])
    assert load(world, put_run(world, 1, ["2024-06-25", "2024-06-26"], [first], [second])) == [
        "2024-06-25",
        "2024-06-26",
    ]
    stood = keys()
    assert set(stood) == {("GENRE#pop", "DAY#2024-06-25"), ("DAY#2024-06-26", "SUMMARY")}
    item = stood["GENRE#pop", "DAY#2024-06-25"]
    assert item["top_songs"] == [SONG]
    assert item["avg_listening_time_per_user_ms"] == Decimal("150.50")
    assert (item["version"], item["lake_uuid"]) == (1, "uuid")


def test_a_day_without_rows_left_is_emptied(world, keys):
    day = "2024-07-01"
    load(world, put_run(world, 1, [day], [row("GENRE#pop", f"DAY#{day}", day)]))
    assert load(world, put_run(world, 2, [day])) == [day]
    assert keys() == {}


def test_a_late_run_publishes_only_the_days_that_no_newer_run_has(world, keys):
    shared, own = "2024-08-01", "2024-08-02"
    load(world, put_run(world, 5, [shared], [row("GENRE#new", f"DAY#{shared}", shared)]))
    rows = [row("GENRE#old", f"DAY#{day}", day) for day in (shared, own)]
    assert load(world, put_run(world, 4, [shared, own], rows)) == [own]
    assert set(keys()) == {("GENRE#new", f"DAY#{shared}"), ("GENRE#old", f"DAY#{own}")}


def test_a_run_that_changed_no_day_loads_nothing(world, keys):
    assert load(world, put_run(world, 0, [])) == []
    assert keys() == {}
