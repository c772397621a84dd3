"""The load as the Python Shell job runs it: it writes a run's Parquet files as items, day by day."""

import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyarrow import parquet

from checks.translate import translated
from music_streams.load import job
from music_streams.load.fence import DayPublisher, DayToPublish
from music_streams.load.items import UnorderedMetrics
from music_streams.load.job import run
from music_streams.state.run_files import (
    LoadReport,
    Manifest,
    RunFolder,
    SourceOutcome,
    Summary,
    find_load_report,
    write_manifest,
    write_result,
)
from tests.functions import ROOT
from tests.integration.domain.world import FILES, LAKE, METRICS
from tests.integration.load.memory_dynamodb import MemoryDynamoDB
from tests.integration.transform.directory_s3 import DirectoryS3
from tests.permissions.acting import acting
from tests.template import role_statements

COUNTS = {"listen_count": 3, "unique_listeners": 2, "total_listening_time_ms": 301}
SONG = {"rank": 1, "track_id": "4dBa8T7oDV9WvGr7kVS4Ez", "track_name": "é𝄞", "artists": "", **COUNTS}


def row(pk, day, **changes):
    metrics = {**COUNTS, "avg_hundredths_ms": 15050, "top_songs": None, "top_genres": None}
    return {"pk": pk, "sk": f"DAY#{day}", "day": day, **metrics, **changes}


def removed_track(day):
    """The row of a track that has no listens left on the day."""
    return dict.fromkeys(row("", ""), None) | {"pk": "TRACK#t", "sk": f"DAY#{day}", "day": day}


SCHEMA = pa.Table.from_pylist([row("", "", top_songs=[SONG], top_genres=[{"rank": 1}])]).schema


def put_run(world, version, days, *files, rebuilds=()):
    """Write a run's folder with summary and metrics in Parquet files; return the manifest's URI."""
    return write_run(world.s3, world.name("batch"), version, days, files, rebuilds)


def write_run(s3, batch_id, version, days, files, rebuilds=()):
    folder = RunFolder(LAKE, batch_id)
    write_manifest(s3, folder, Manifest(batch_id, [], list(rebuilds)))
    outcome = SourceOutcome(3, 3, {}, days)
    summary = Summary(folder.batch_id, "x-1", version, "uuid", days, "metrics/jr_1", {"s": outcome})
    write_result(s3, folder, "jr_1", summary)
    s3.put_object(Bucket=LAKE, Key=folder.key("metrics/jr_1/_SUCCESS"), Body=b"")
    s3.put_object(Bucket=LAKE, Key=folder.key("metrics/jr_10/part-0.parquet"), Body=b"of another job run")
    for number, rows in enumerate(files):
        body = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), body)
        s3.put_object(Bucket=LAKE, Key=folder.key(f"metrics/jr_1/part-{number:05}.parquet"), Body=body.getvalue())
    return folder.manifest_uri


def load(world, manifest_uri):
    return run(world.s3, world.dynamodb, manifest_uri, "jr_1", FILES, METRICS)


@pytest.fixture
def keys(world):
    """Read the items of the table, by key; the table is empty at first."""
    for item in world.dynamodb.scan(TableName=METRICS)["Items"]:
        world.dynamodb.delete_item(TableName=METRICS, Key={"pk": item["pk"], "sk": item["sk"]})

    def read():
        return {(item["pk"], item["sk"]): item for item in world.dynamodb.scan(TableName=METRICS)["Items"]}

    return read


def test_the_rows_of_all_files_are_written_as_items_of_their_days(world, keys):
    first = row("GENRE#pop", "2024-06-25", top_songs=[SONG])
    second = row("DAY#2024-06-26", "2024-06-26", sk="SUMMARY", top_genres=[])
    days = ["2024-06-25", "2024-06-26"]
    assert load(world, put_run(world, 1, days, [first], [second])) == days
    stored = keys()
    assert set(stored) == {("GENRE#pop", "DAY#2024-06-25"), ("DAY#2024-06-26", "SUMMARY")}
    item = stored["GENRE#pop", "DAY#2024-06-25"]
    assert item["top_songs"] == [SONG]
    assert item["avg_listening_time_per_user_ms"] == Decimal("150.50")
    assert (item["version"], item["lake_uuid"]) == (1, "uuid")


def test_the_items_of_a_day_without_rows_are_deleted(world, keys):
    day = "2024-07-01"
    load(world, put_run(world, 1, [day], [row("GENRE#pop", day)]))
    assert load(world, put_run(world, 2, [day])) == [day]
    assert keys() == {}


def test_a_rebuild_removes_items_of_its_days_that_no_fence_lists(world, keys):
    day, other = "2024-07-02", "2024-07-03"
    rows = [row("GENRE#pop", each) for each in (day, other)]
    load(world, put_run(world, 1, [day, other], rows))
    for each in (day, other):
        for version in (1, 9):
            item = {"pk": f"GENRE#unexpected {version}", "sk": f"DAY#{each}", "day": each}
            world.dynamodb.put_item(TableName=METRICS, Item={**item, "version": version, "lake_uuid": "uuid"})
    load(world, put_run(world, 2, [day], rows[:1], rebuilds=[day]))
    assert {pk for pk, sk in keys() if sk == f"DAY#{day}"} == {"GENRE#pop", "GENRE#unexpected 9"}, "newer ones stay"
    of_other_day = {pk for pk, sk in keys() if sk == f"DAY#{other}"}
    assert of_other_day == {"GENRE#pop", "GENRE#unexpected 1", "GENRE#unexpected 9"}


def test_a_late_run_publishes_only_the_days_that_no_newer_run_has(world, keys):
    shared, own = "2024-08-01", "2024-08-02"
    load(world, put_run(world, 5, [shared], [row("GENRE#new", shared)]))
    rows = [row("GENRE#old", day) for day in (shared, own)]
    assert load(world, put_run(world, 4, [shared, own], rows)) == [own]
    assert set(keys()) == {("GENRE#new", f"DAY#{shared}"), ("GENRE#old", f"DAY#{own}")}


def report_of(world, manifest_uri):
    return find_load_report(world.s3, RunFolder.of_manifest(manifest_uri), "jr_1")


def test_the_report_counts_published_items_and_those_that_a_newer_run_has(world, keys):
    shared, own = "2024-08-03", "2024-08-04"
    rows = [row(f"GENRE#{genre}", day) for day in (shared, own) for genre in ("a", "b")]
    old = put_run(world, 4, [shared, own], rows)
    load(world, put_run(world, 5, [shared], rows[:1]))
    for _ in range(2):
        load(world, old)
        assert report_of(world, old) == LoadReport(items_written=2, items_refused=2), "also of a repeated load"


def test_the_report_of_a_load_repeated_after_a_newer_run_counts_its_items_as_refused(world, keys):
    day = "2024-08-05"
    rows = [row("GENRE#a", day)]
    old = put_run(world, 4, [day], rows)
    load(world, old)
    assert report_of(world, old) == LoadReport(1, 0)
    load(world, put_run(world, 5, [day], rows))
    load(world, old)
    assert report_of(world, old) == LoadReport(0, 1)


def test_the_role_of_the_load_grants_all_of_its_calls(world, keys):
    days = ["2024-08-06", "2024-08-07"]
    uri = put_run(world, 4, days, [row("GENRE#a", day) for day in days], rebuilds=days[:1])
    statements = role_statements(translated(ROOT / "template.yaml"), "LoadRole")
    with acting(statements, {LAKE: "LakeBucket", FILES: "FilesTable", METRICS: "MetricsTable"}) as acts:
        load(world, uri)
    assert acts.refused == []
    assert {need.action for need in acts.granted} >= {"s3:PutObject", "dynamodb:PutItem", "dynamodb:UpdateItem"}


def test_a_run_that_changed_no_day_writes_no_item(world, keys):
    uri = put_run(world, 0, [])
    assert load(world, uri) == []
    assert keys() == {}
    assert report_of(world, uri) == LoadReport(0, 0)


def test_the_items_of_tracks_without_listens_are_deleted(world, keys):
    day = "2024-09-01"
    load(world, put_run(world, 1, [day], [row("GENRE#pop", day), row("TRACK#t", day)]))
    assert len(keys()) == 2
    load(world, put_run(world, 2, [day], [row("GENRE#pop", day), removed_track(day)]))
    assert set(keys()) == {("GENRE#pop", f"DAY#{day}")}


def test_only_one_wave_of_days_is_in_memory(world, monkeypatch):
    days = [(date(2024, 1, 1) + timedelta(days=number)).isoformat() for number in range(300)]
    files = [[row(f"GENRE#{n}", day) for day in days[at : at + 50] for n in range(20)] for at in range(0, 300, 50)]
    waves: list[list[str]] = []

    def publish(_: DayPublisher, wave: list[DayToPublish]) -> list[str]:
        assert all(len(day.items) == 20 for day in wave)
        waves.append([day.date for day in wave])
        return waves[-1]

    monkeypatch.setattr(DayPublisher, "publish", publish)
    monkeypatch.setattr(job, "_WAVE", 210)
    assert load(world, put_run(world, 1, days, *files)) == days
    assert {len(wave) for wave in waves} == {10}


def test_rows_of_a_day_that_are_not_contiguous_are_an_error(world):
    days = ["2024-10-01", "2024-10-02"]
    rows = [row("GENRE#pop", day) for day in (*days, days[0])]
    with pytest.raises(UnorderedMetrics, match="rows of 2024-10-01 are not contiguous"):
        load(world, put_run(world, 1, days, rows))


class Throttled:
    """A DynamoDB that throttles all requests after some calls."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._left = iter(range(calls))

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            if next(self._left, None) is None:
                code = "ProvisionedThroughputExceededException"
                raise ClientError({"Error": {"Code": code, "Message": "slow down"}}, operation)
            return getattr(self._client, operation)(**arguments)

        return call


def test_a_load_that_is_throttled_at_any_call_and_repeated_leaves_no_stale_value(tmp_path):
    """The newer run starts after the older one was throttled; then both are repeated."""
    days = ["2024-11-01", "2024-11-02"]

    def rows(*keys: str) -> list[dict[str, Any]]:
        return [row(key, day) for day in days for key in keys]

    for calls in range(100):
        s3 = DirectoryS3(tmp_path / str(calls))
        dynamodb = MemoryDynamoDB({FILES: ("source_id",), METRICS: ("pk", "sk")})
        older = write_run(s3, "older", 1, days, [rows("GENRE#a", "GENRE#b", "TRACK#t")])
        newer = write_run(s3, "newer", 2, days[:1], [[row("GENRE#b", days[0]), removed_track(days[0])]])
        is_throttled = False
        for uri in (older, newer):
            try:
                run(s3, Throttled(dynamodb, calls), uri, "jr_1", FILES, METRICS)  # type: ignore[arg-type]  # a fake
            except ClientError:
                is_throttled = True
        for uri in (older, newer, older):
            run(s3, dynamodb, uri, "jr_1", FILES, METRICS)  # type: ignore[arg-type]  # a fake
        stored = {(item["pk"], item["sk"]): item["version"] for item in dynamodb.items(METRICS)}
        assert stored == {
            ("GENRE#b", f"DAY#{days[0]}"): 2,
            ("GENRE#a", f"DAY#{days[1]}"): 1,
            ("GENRE#b", f"DAY#{days[1]}"): 1,
            ("TRACK#t", f"DAY#{days[1]}"): 1,
        }, calls
        if not is_throttled:
            return
    raise AssertionError("the load makes too many calls")
