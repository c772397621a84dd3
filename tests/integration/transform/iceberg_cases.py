"""The guarantees of the lake, on Iceberg tables in a Glue Data Catalog; run by test_iceberg.py."""

import io
import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet
import pytest
from moto.s3.models import s3_backends
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks import iceberg
from benchmarks.iceberg import BUCKET
from local.aws import ACCOUNT, Aws
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, RowsToDelete
from music_streams.transform.spark.lake import IcebergLake

SETTINGS = {
    "spark.sql.shuffle.partitions": "1",
    # The settings of the job for small inputs (music_streams/transform/spark/partitions.py)
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
LISTENS_COLUMNS = """user_id BIGINT, track_id STRING, listened_at TIMESTAMP, duration_ms BIGINT, track_name STRING,
    artists STRING, genres ARRAY<STRING>, user_country STRING, source_id STRING, execution STRING,
    reference_version BIGINT"""
REJECTED_COLUMNS = "raw STRING, reason STRING, source_id STRING, execution STRING, received_at TIMESTAMP"
DAY, NEXT_DAY, LATER = "2024-06-25", "2024-06-26", "2024-07-01"
TRACK = "T" * 22


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with iceberg.cloud() as running:
        yield running


@pytest.fixture(scope="session")
def spark(aws) -> Iterator[SparkSession]:
    with iceberg.session(aws, SETTINGS) as session:
        yield session


class Tables(IcebergLake):
    """The lake with handwritten rows. Each test has its own sources, users and executions."""

    def listens(self, execution: str, *rows: tuple[str, int, str]) -> None:
        """Append listens: source, user, day."""
        values = [
            (user, TRACK, _midnight(day), 1, "n", "a", ["pop"], "DE", source, execution, 1)
            for source, user, day in rows
        ]
        self.append(LISTENS, self.spark.createDataFrame(values, LISTENS_COLUMNS), execution)

    def rejected(self, execution: str, *rows: tuple[str, str], received: str = DAY) -> None:
        """Append rejected rows of files that arrived on a day: source, raw text."""
        values = [(raw, "bad_user_id", source, execution, _midnight(received)) for source, raw in rows]
        self.append(REJECTED_ROWS, self.spark.createDataFrame(values, REJECTED_COLUMNS), execution)

    def elsewhere(self) -> "Tables":
        """Return the lake as another process has it, with a session that has cached nothing."""
        return Tables(self.spark.newSession(), self.glue, self.s3)

    def remove(self, to_delete: RowsToDelete) -> None:
        self.delete(to_delete, self.find(to_delete))

    def rows(self, table: str, *source_ids: str, snapshot: int | None = None) -> list[tuple[str, ...]]:
        """Return source, execution and user or text of the sources' rows, now or in a snapshot."""
        self._refresh(table)
        reader = self.spark.read.option("snapshot-id", snapshot) if snapshot else self.spark.read
        selected = reader.table(self._name(table)).where(F.col("source_id").isin(*source_ids))
        columns = ["source_id", "execution", "user_id" if table == LISTENS else "raw"]
        return sorted(tuple(map(str, row)) for row in selected.select(*columns).collect())

    def files(self, prefix: str = "warehouse/") -> list[str]:
        """Return the keys of all Parquet files with a prefix, by default those of both tables."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key for key in keys if key.endswith(".parquet")]

    def in_files(self) -> Counter[Any]:
        """Count rows by user or raw text in all files, whether a table refers to them or not."""
        return Counter(row.get("user_id") or row.get("raw") for key in self.files() for row in self.read(key))

    def read(self, key: str) -> list[dict[str, Any]]:
        """Return the rows of a Parquet file."""
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()

    def stray(self, age: timedelta, folder: str = LISTENS) -> str:
        """Create an uncommitted file of some age in a table's folder, as a copy of another; return its key."""
        some = next(key for key in self.files() if f"/{LISTENS}/" in key)
        key = some.replace(f"/{LISTENS}/", f"/{folder}/").replace(".parquet", f"-{age.total_seconds():.0f}.parquet")
        self.s3.copy_object(Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/{some}")
        stored = s3_backends[ACCOUNT]["aws"].get_bucket(BUCKET).keys[key]
        stored.last_modified = datetime.now(UTC).replace(tzinfo=None) - age
        return key


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


@pytest.fixture(scope="session")
def lake(spark, aws) -> Tables:
    """A lake whose tables do not exist yet."""
    return Tables(spark, aws.client("glue"), aws.client("s3"))


@pytest.fixture
def sources(numbers=itertools.count()) -> list[str]:  # noqa: B008 - one for all
    """Source ids that no other test has."""
    return [f"{next(numbers):032x}" for _ in range(4)]


def older(execution: str, *source_ids: str) -> RowsToDelete:
    return RowsToDelete(execution, list(source_ids), [], [])


def test_an_execution_commits_once_and_its_rows_are_read(lake, sources):
    a, b, *_ = sources
    for _ in range(2):
        lake.listens("once-1", (a, 1, DAY), (b, 2, NEXT_DAY))
    assert lake.rows(LISTENS, a, b) == [(a, "once-1", "1"), (b, "once-1", "2")]
    state = lake.state(LISTENS)
    assert (state.has_commit_of("once-1"), state.has_commit_of("once-2")) == (True, False)
    picked = lake.listens_at(lake.pin().snapshot_id, [NEXT_DAY]).where(F.col("execution") == "once-1").collect()
    assert [row["user_id"] for row in picked] == [2]


def test_commits_of_another_run_are_visible_immediately(lake, sources):
    a, b, *_ = sources
    lake.listens("known-1", (a, 1, "2020-02-02"))
    lake.elsewhere().listens("other-1", (b, 321, "2020-02-02"))
    assert lake.find(RowsToDelete("f-1", [], [], [321])).days == {b: {"2020-02-02"}}
    lake.elsewhere().listens("other-2", (b, 322, "2020-02-03"))
    assert lake.listens_at(lake.pin().snapshot_id, ["2020-02-02", "2020-02-03"]).count() == 3


def test_older_copies_are_found_and_deleted_without_a_dip_for_readers(lake, sources):
    a, b, c, _ = sources
    lake.listens("copies-1", (a, 1, DAY), (a, 2, LATER), (b, 3, DAY))
    lake.rejected("copies-1", (a, "bad"), (b, "bad of b"))
    lake.rejected("copies-2", (a, "bad"))
    lake.listens("copies-2", (a, 1, DAY), (a, 4, NEXT_DAY))
    pinned = lake.pin()
    found = lake.find(older("copies-2", a, c))
    assert (found.days, found.executions) == ({a: {DAY, LATER}}, {"copies-1"})
    lake.delete(older("copies-2", a, c), found)

    assert lake.rows(LISTENS, a, b) == [(a, "copies-2", "1"), (a, "copies-2", "4"), (b, "copies-1", "3")]
    assert lake.rows(REJECTED_ROWS, a, b) == [(a, "copies-2", "bad"), (b, "copies-1", "bad of b")]
    assert not lake.find(older("copies-2", a, c))
    # A reader of the earlier snapshot still has all rows; the next snapshot has only the new ones.
    assert len(lake.rows(LISTENS, a, b, snapshot=pinned.snapshot_id)) == 5
    assert lake.pin().version == pinned.version + 1


def test_rows_added_after_the_search_are_not_deleted(lake, sources):
    a, b, *_ = sources
    lake.listens("look-1", (a, 77, DAY), (a, 8, DAY))
    forget = RowsToDelete("f-1", [], [], [77])
    found = lake.find(forget)
    lake.listens("after-1", (b, 77, LATER))
    lake.delete(forget, found)
    assert lake.rows(LISTENS, a, b) == [(a, "look-1", "8"), (b, "after-1", "77")]
    assert lake.find(forget).days == {b: {LATER}}


def test_rows_of_a_refused_source_are_deleted_whichever_execution_committed_them(lake, sources):
    a, b, *_ = sources
    lake.listens("refused-1", (a, 1, DAY), (b, 2, DAY))
    lake.remove(RowsToDelete("refused-1", [], [a], []))
    assert lake.rows(LISTENS, a, b) == [(b, "refused-1", "2")]


USER = 1234567
RAW = {  # whether it is the user's
    "1234567,track,2024-06-25 10:00:00": True,
    'x,"001234567",7.5': True,
    "1234567": True,
    "a, 1234567": True,
    "8,track,x\\1234567": True,
    "8,track,1234567-07-07 07:07:07": False,
    "12345678,track1234567,2024-06-25 10:00:07.1234567": False,
    "8,track,2024-06-25T10:00:07+1234567": False,
    "-1234567,1234567.0": False,
}


def test_a_forgotten_user_is_in_no_file_and_earlier_commits_are_still_recognized(lake, sources):
    a, b, c, _ = sources
    lake.listens("held-1", (a, USER, DAY), (a, 7654321, DAY), (b, 7654321, DAY))
    lake.listens("held-2", (c, USER, LATER))
    lake.rejected("held-1", *((b, raw) for raw in RAW))
    forget = RowsToDelete("f-1", [], [], [USER])
    found = lake.find(forget)
    assert found.days == {a: {DAY}, b: set(), c: {LATER}}
    lake.delete(forget, found)
    assert lake.in_files()[USER] == 2  # earlier snapshots still have them
    old, new = (lake.stray(timedelta(hours=hours)) for hours in (25, 23))

    lake.expire()
    in_files = lake.in_files()
    assert (in_files[USER], in_files[7654321]) == (0, 2)
    assert {raw: bool(in_files[raw]) for raw in RAW} == {raw: not is_theirs for raw, is_theirs in RAW.items()}
    # Of the uncommitted files only the one that no run can still commit is deleted.
    assert {old, new} & {*lake.files()} == {new}
    # A repeated run that has committed before does not commit again.
    assert not lake.state(LISTENS).has_commit_of("held-1")
    lake.listens("held-1", (a, 7654321, DAY))
    lake.listens("held-3", (c, 1, DAY))
    expected = [(a, "held-1", "7654321"), (b, "held-1", "7654321"), (c, "held-3", "1")]
    assert lake.rows(LISTENS, a, b, c) == expected


def test_concurrent_runs_commit_and_delete(lake, sources):
    lake.listens("beside-1", *((source, 1, DAY) for source in sources))  # all in one file
    lake.rejected("beside-1", *((source, "bad") for source in sources))

    def run(number: int) -> None:
        execution = f"beside{number}-2"
        own = lake.elsewhere()
        own.listens(execution, (sources[number], 1, DAY))
        own.remove(older(execution, sources[number]))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))  # re-raises their errors
    *repeated, last = sources
    expected = [(source, f"beside{number}-2", "1") for number, source in enumerate(repeated)]
    assert lake.rows(LISTENS, *sources) == [*expected, (last, "beside-1", "1")]
    assert lake.rows(REJECTED_ROWS, *sources) == [(last, "beside-1", "bad")]


def test_metrics_are_written_by_day_with_the_tracks_without_listens(lake, sources):
    a, b, *_ = sources
    first, second, third = "2021-01-01", "2021-01-02", "2021-03-01"
    lake.listens("metrics-1", (a, 555, first), (b, 555, second), (b, 2, second), (a, 555, third))
    forget = RowsToDelete("f-1", [], [], [555])
    found = lake.find(forget)
    tracks = f"s3://{BUCKET}/runs/r/removed/f-1/tracks/jr-0"
    lake.write_tracks(forget, found, tracks)
    lake.delete(forget, found)
    lake.write_metrics(lake.pin(), [first, second], [tracks], f"s3://{BUCKET}/runs/r/metrics/jr")
    written = [row for key in lake.files("runs/r/metrics/jr/") for row in lake.read(key)]
    assert [row["day"] for row in written] == sorted(row["day"] for row in written)
    assert {(row["pk"], row["sk"]): row["listen_count"] for row in written} == {
        (f"TRACK#{TRACK}", f"DAY#{first}"): None,
        (f"TRACK#{TRACK}", f"DAY#{second}"): 1,
        ("GENRE#pop", f"DAY#{second}"): 1,
        ("COUNTRY#DE", f"DAY#{second}"): 1,
        (f"DAY#{second}", "SUMMARY"): 1,
    }
