"""A run of the transform: judged, committed once, summarised, whatever dies in between.

The lake is one in memory; that Iceberg does the same is for the end-to-end tests to show.
"""

import dataclasses
import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from music_streams.errors import NoReferenceData
from music_streams.runs import Manifest, ManifestSource, RunFolder, SourceOutcome, Summary, read_summary, write_manifest
from music_streams.transform import job
from music_streams.transform.lake import LISTENS, REJECTED_ROWS, Commit
from tests.integration.transform.directory_s3 import DirectoryS3

LAKE, LANDING = "lake-of-job", "landing-of-job"
RECEIVED_AT = "2026-11-21T21:03:25.123Z"


def track(name: str) -> str:
    return name.ljust(22, "0")


class Dies(Exception):
    """The process dies."""


@dataclass
class MemoryTable:
    """Rows of a table and its commits."""

    rows: list[Any] = field(default_factory=list)
    commits: dict[str, Commit] = field(default_factory=dict)
    version: int = 0
    uuid: str = "uuid"
    schema: Any = None

    @property
    def snapshot_id(self) -> int:
        return self.version

    def commit_of(self, execution: str) -> Commit | None:
        return self.commits.get(execution)


class MemoryLake:
    """The lake's tables; may be told to die right before its n-th change."""

    def __init__(self) -> None:
        self.tables = {LISTENS: MemoryTable(), REJECTED_ROWS: MemoryTable()}
        self.dies_at: int | None = None
        self.changes: list[str] = []
        self.spark: Any = None

    def copy(self) -> "MemoryLake":
        other = MemoryLake()
        other.tables = {
            name: dataclasses.replace(table, rows=list(table.rows), commits=dict(table.commits))
            for name, table in self.tables.items()
        }
        return other

    def __call__(self, spark: Any, *_clients: Any) -> "MemoryLake":
        """In the place of the class."""
        self.spark = spark
        self.changes = []
        return self

    def state(self, table: str) -> MemoryTable:
        return self.tables[table]

    def append(self, table: str, rows: Any, execution: str, days: list[str]) -> None:
        if self.tables[table].commit_of(execution):
            return
        self._change(f"append to {table}")
        self.tables[table].rows += rows.collect()
        self.tables[table].commits[execution] = Commit(days)
        self.tables[table].schema = rows.schema
        self.tables[table].version += 1

    def days_of(self, source_ids: list[str], except_execution: str) -> list[str]:
        older = [row for row in self.tables[LISTENS].rows if self._is_older(row, source_ids, except_execution)]
        return [row["listened_at"].date().isoformat() for row in older]

    def delete_older_copies(self, source_ids: list[str], execution: str) -> None:
        self._change("delete")
        for table in self.tables.values():
            table.rows = [row for row in table.rows if not self._is_older(row, source_ids, execution)]
            table.version += 1

    def listens_at(self, snapshot_id: int, days: list[str]) -> Any:
        table = self.tables[LISTENS]
        assert snapshot_id == table.version
        rows = [row for row in table.rows if row["listened_at"].date().isoformat() in days]
        return self.spark.createDataFrame(rows, table.schema)

    def _is_older(self, row: Any, source_ids: list[str], execution: str) -> bool:
        return row["source_id"] in source_ids and row["execution"] != execution

    def _change(self, what: str) -> None:
        self.changes.append(what)
        if len(self.changes) == self.dies_at:
            raise Dies(what)


@dataclass
class Pipeline:
    """Runs of the job over files, in one lake."""

    spark: Any
    s3: DirectoryS3
    lake: MemoryLake
    folder: RunFolder

    def run(self, attempt: int = 1, ratio: str = "0.20", run_id: str = "jr_1") -> Summary:
        task = job.TransformRun(
            folder=self.folder,
            execution=f"{self.folder.batch_id}-{attempt}",
            run_id=run_id,
            landing_bucket=LANDING,
            max_rejected_ratio=Decimal(ratio),
            publish_track_metrics=False,
        )
        return job.run(self.spark, self.s3, None, task)  # type: ignore[arg-type]  # fakes; Glue is the lake's affair

    def stage(self, **files: list[str]) -> None:
        """Files by one letter each, without their header."""
        listed = []
        for letter, lines in files.items():
            source_id = letter * 32
            body = "\n".join(["user_id,track_id,listen_time", *lines]).encode()
            self.s3.put_object(Bucket=LAKE, Key=self.folder.key(f"input/{source_id}.csv"), Body=body)
            header = ["user_id", "track_id", "listen_time"]
            listed.append(ManifestSource(source_id, "streams", f"{source_id}.csv", header, RECEIVED_AT, 1_000))
        write_manifest(self.s3, self.folder, Manifest(self.folder.batch_id, listed))  # type: ignore[arg-type]

    def metrics(self, summary: Any) -> dict[tuple[str, str], int]:
        rows = self.spark.read.parquet(self.folder.uri(summary.metrics)).collect()
        return {(row["pk"], row["sk"]): row["listen_count"] for row in rows}


@pytest.fixture(scope="module")
def s3(spark, tmp_path_factory):
    s3 = DirectoryS3(tmp_path_factory.mktemp("s3"))
    s3.mount(spark, LAKE)
    songs = f"track_id,track_name,artists,duration_ms,track_genre\n{track('A')},a,x,1000,pop\n"
    s3.put_object(Bucket=LANDING, Key="reference/songs/a.csv", Body=songs.encode())
    return s3


@pytest.fixture
def pipeline(spark, s3, monkeypatch, numbers=itertools.count()) -> Pipeline:  # noqa: B008 - one for all
    """One that has run nothing yet."""
    lake = MemoryLake()
    monkeypatch.setattr(job, "Lake", lake)
    return Pipeline(spark, s3, lake, RunFolder(LAKE, f"batch{next(numbers)}"))


GOOD = [f"{user},{track('A')},2024-06-25 10:00:0{user}" for user in range(1, 6)]
NEXT_DAY = f"1,{track('A')},2024-06-26 10:00:00"
PARKED = f"1,{track('B')},2024-06-25 11:00:00"
BAD = f"x,{track('A')},2024-06-25 11:00:00"
A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture(scope="module")
def first_attempt(spark, s3):
    """A run over a file of every kind of row, one of too many bad ones, and one without rows."""
    lake = MemoryLake()
    first = Pipeline(spark, s3, lake, RunFolder(LAKE, "committed"))
    first.stage(a=[*GOOD, NEXT_DAY, PARKED, GOOD[0], BAD], b=[BAD, *GOOD[:3]], c=[])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "Lake", lake)
        return first, first.run()


@pytest.fixture
def committed(first_attempt, monkeypatch):
    """One that has run the first attempt."""
    first, _ = first_attempt
    lake = first.lake.copy()
    monkeypatch.setattr(job, "Lake", lake)
    return dataclasses.replace(first, lake=lake)


def test_a_run_commits_what_is_good_and_says_what_became_of_each_file(first_attempt):
    first, summary = first_attempt
    days = ["2024-06-25", "2024-06-26"]
    assert summary.sources == {
        A: SourceOutcome(9, 6, {"unknown_track": 1, "duplicate": 1, "bad_user_id": 1}, days),
        B: SourceOutcome(4, 0, {"bad_user_id": 1}, [], "too_many_bad_rows"),
        C: SourceOutcome(0, 0, {}, []),
    }
    assert (summary.version, summary.lake_uuid, summary.days) == (1, "uuid", days)
    assert {row["source_id"] for table in first.lake.tables.values() for row in table.rows} == {A}
    assert first.metrics(summary) == {
        ("GENRE#pop", "DAY#2024-06-25"): 5,
        ("COUNTRY#unknown", "DAY#2024-06-25"): 5,
        ("DAY#2024-06-25", "SUMMARY"): 5,
        ("GENRE#pop", "DAY#2024-06-26"): 1,
        ("COUNTRY#unknown", "DAY#2024-06-26"): 1,
        ("DAY#2024-06-26", "SUMMARY"): 1,
    }
    assert read_summary(first.s3, first.folder) == summary


@pytest.mark.parametrize(
    ("good", "bad", "harmless", "ratio", "is_kept"),
    [
        (4, 1, 0, "0.20", True),
        (3, 1, 0, "0.20", False),
        (0, 1, 4, "0.20", True),
        (71, 29, 0, "0.29", True),
        (70, 30, 0, "0.29", False),
        (93, 7, 0, "0.07", True),
        (1, 0, 0, "0", True),
        (99, 1, 0, "0", False),
        (0, 9, 0, "1", True),
        (0, 0, 0, "0", True),
    ],
)
def test_a_file_is_quarantined_where_its_share_of_malformed_rows_is_strictly_greater(
    good, bad, harmless, ratio, is_kept
):
    counts = [("s", None, "2024-06-25", good), ("s", "bad_user_id", None, bad), ("s", "duplicate", None, harmless)]
    rows = [dict(zip(("source_id", "reason", "day", "count"), values, strict=True)) for values in counts if values[3]]
    outcome = job._outcomes(rows, ["s"], Decimal(ratio))["s"]  # type: ignore[arg-type]  # rows by name
    assert (outcome.verdict is None) is is_kept
    assert outcome.rows_read == good + bad + harmless
    assert outcome.rows_accepted == (good if is_kept else 0)


def test_a_run_without_any_songs_row_fails_and_parks_nothing(pipeline, spark):
    pipeline.stage(a=GOOD)
    task = job.TransformRun(
        pipeline.folder, "x-1", "jr_1", "landing-of-nothing", Decimal("0.2"), publish_track_metrics=False
    )
    with pytest.raises(NoReferenceData, match="no_reference_data: no valid songs row"):
        job.run(spark, pipeline.s3, None, task)  # type: ignore[arg-type]  # fakes
    assert pipeline.lake.changes == []


def die_and_repeat(pipeline: Pipeline, attempt: int, dies_at: int) -> Summary:
    pipeline.lake.dies_at = dies_at
    with pytest.raises(Dies):
        pipeline.run(attempt, run_id="jr_1")
    pipeline.lake.dies_at = None
    return pipeline.run(attempt, run_id="jr_2")


def executions_of_rows(pipeline: Pipeline) -> dict[str, list[str]]:
    return {name: [row["execution"] for row in table.rows] for name, table in pipeline.lake.tables.items()}


def test_a_run_may_die_between_its_commits_and_be_repeated(pipeline):
    pipeline.stage(a=[*GOOD, PARKED])
    summary = die_and_repeat(pipeline, attempt=1, dies_at=len(["rejected rows", "listens"]))
    execution = f"{pipeline.folder.batch_id}-1"
    assert executions_of_rows(pipeline) == {LISTENS: [execution] * 5, REJECTED_ROWS: [execution]}
    assert pipeline.metrics(summary)["DAY#2024-06-25", "SUMMARY"] == 5


def test_a_later_attempt_may_die_before_it_deletes_the_older_copies_and_be_repeated(committed):
    committed.stage(a=[*GOOD, PARKED])
    summary = die_and_repeat(committed, attempt=2, dies_at=len(["rejected rows", "listens", "delete"]))
    execution = f"{committed.folder.batch_id}-2"
    assert executions_of_rows(committed) == {LISTENS: [execution] * 5, REJECTED_ROWS: [execution]}
    assert summary.version == committed.lake.tables[LISTENS].version
    # The day that the older rows leave is recomputed too, to nothing.
    assert summary.days == ["2024-06-25", "2024-06-26"]
    assert committed.metrics(summary) == {
        ("GENRE#pop", "DAY#2024-06-25"): 5,
        ("COUNTRY#unknown", "DAY#2024-06-25"): 5,
        ("DAY#2024-06-25", "SUMMARY"): 5,
    }


def test_a_file_that_is_quarantined_on_a_repeat_leaves_none_of_its_rows(committed):
    committed.stage(a=[*GOOD, NEXT_DAY, BAD])
    summary = committed.run(attempt=2, ratio="0.01")
    assert summary.sources[A].verdict == "too_many_bad_rows"
    assert executions_of_rows(committed) == {LISTENS: [], REJECTED_ROWS: []}
    assert summary.days == ["2024-06-25", "2024-06-26"]
