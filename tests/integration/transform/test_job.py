"""The transform on Spark: files are validated, a file that Spark cannot read is left out, the others are processed.

The order of the steps, and deaths between them: test_process.py. Commits and deletions in Iceberg: test_iceberg.py.
"""

import gzip
import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError

from music_streams.errors import NoReferenceData
from music_streams.state.run_files import (
    Manifest,
    ManifestSource,
    RunFolder,
    SourceOutcome,
    Summary,
    read_result,
    write_claimed,
)
from music_streams.state.sources import Treatment
from music_streams.transform import job
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, FoundRows, Pinned, RowsToDelete
from music_streams.transform.spark import job as spark_job
from music_streams.transform.spark.batch import SparkBatch
from tests.entries import all_published
from tests.integration.transform.directory_s3 import DirectoryS3

LAKE, LANDING = "lake-of-job", "landing-of-job"
MAX_DAYS = 3
RECEIVED_AT = "2026-11-21T21:03:25.123Z"
HEADER = ["user_id", "track_id", "listen_time"]


def track(name: str) -> str:
    return name.ljust(22, "0")


class SparkLake:
    """A lake that stores the rows of one run."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {LISTENS: [], REJECTED_ROWS: []}

    def append(self, table: str, rows: Any, execution: str, *, few_days: bool) -> None:  # noqa: ARG002 - an argument of the port
        self.rows[table] = rows.collect()
        assert {row["execution"] for row in self.rows[table]} == {execution}

    def find(self, _: RowsToDelete) -> FoundRows:
        return FoundRows()

    def pin(self) -> Pinned:
        return Pinned(1, 1, "uuid")

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        pass


@dataclass
class Pipeline:
    """Runs the job over files."""

    spark: Any
    s3: DirectoryS3
    folder: RunFolder

    def run(self, lake: SparkLake, landing: str = LANDING) -> Summary:
        task = job.RunSettings(
            folder=self.folder,
            execution=f"{self.folder.batch_id}-1",
            job_run_id="jr_1",
            landing_bucket=landing,
            max_rejected_ratio=Decimal("0.20"),
            max_days_per_file=MAX_DAYS,
            publish_track_metrics=False,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spark_job, "IcebergLake", lambda *_: lake)
            return spark_job.run(self.spark, self.s3, None, all_published, task)  # type: ignore[arg-type]  # fakes; only the lake needs Glue

    def stage(self, files: dict[str, list[str] | bytes]) -> Manifest:
        """Stage files, given as lines without their header, or as the bytes of a file with a gzip name."""
        listed = []
        for source_id, content in files.items():
            is_gzip = isinstance(content, bytes)
            name = f"{source_id}.csv.gz" if is_gzip else f"{source_id}.csv"
            body = content if isinstance(content, bytes) else "\n".join([",".join(HEADER), *content]).encode()
            self.s3.put_object(Bucket=LAKE, Key=self.folder.key(f"input/{name}"), Body=body)
            listed.append(ManifestSource(source_id, "streams", name, HEADER, RECEIVED_AT, 1_000))
        manifest = Manifest(self.folder.batch_id, listed)
        write_claimed(self.s3, self.folder, f"{self.folder.batch_id}-1", manifest)  # type: ignore[arg-type]  # a fake
        return manifest


@pytest.fixture(scope="module")
def s3(spark, tmp_path_factory):
    s3 = DirectoryS3(tmp_path_factory.mktemp("s3"))
    s3.mount(spark, LAKE)
    songs = f"track_id,track_name,artists,duration_ms,track_genre\n{track('A')},a,x,1000,pop\n"
    s3.put_object(Bucket=LANDING, Key="reference/songs/a.csv", Body=songs.encode())
    return s3


@pytest.fixture
def pipeline(spark, s3, numbers=itertools.count()) -> Pipeline:  # noqa: B008 - one for all
    """A pipeline without runs."""
    return Pipeline(spark, s3, RunFolder(LAKE, f"batch{next(numbers)}"))


GOOD = [f"{user},{track('A')},2024-06-25 10:00:0{user}" for user in range(1, 6)]
NEXT_DAY = f"1,{track('A')},2024-06-26 10:00:00"
PARKED = f"1,{track('B')},2024-06-25 11:00:00"
BAD = f"x,{track('A')},2024-06-25 11:00:00"
A, B, C = ("a" * 32, "b" * 32, "c" * 32)
NOISE = bytes(range(256)) * 40
TRUNCATED = gzip.compress("\n".join(GOOD * 1000).encode())[:-20]


def test_a_run_commits_valid_rows_and_returns_the_outcome_of_each_file(pipeline):
    pipeline.stage({A: [*GOOD, NEXT_DAY, PARKED, GOOD[0], BAD], B: [BAD, *GOOD[:3]], C: []})
    lake = SparkLake()
    summary = pipeline.run(lake)
    days = ["2024-06-25", "2024-06-26"]
    assert summary.sources == {
        A: SourceOutcome(9, 6, {"unknown_track": 1, "duplicate": 1, "bad_user_id": 1}, days),
        B: SourceOutcome(4, 0, {"bad_user_id": 1}, [], "too_many_bad_rows"),
        C: SourceOutcome(0, 0, {}, []),
    }
    assert {name: (len(rows), {row["source_id"] for row in rows}) for name, rows in lake.rows.items()} == {
        LISTENS: (6, {A}),
        REJECTED_ROWS: (3, {A}),
    }
    assert read_result(pipeline.s3, pipeline.folder, "jr_1") == summary


def test_files_that_spark_cannot_read_are_left_out_and_the_others_processed(pipeline):
    readable = {f"{number:032x}": [f"{number},{track('A')},2024-06-25 10:00:00"] for number in range(1, 21)}
    broken = {"d" * 32: NOISE, f"{7:031x}e": TRUNCATED}
    pipeline.stage(dict(sorted({**readable, **broken}.items())))
    lake = SparkLake()
    summary = pipeline.run(lake)
    for source_id in readable:
        assert summary.sources[source_id] == SourceOutcome(1, 1, {}, ["2024-06-25"])
    for source_id in broken:
        assert summary.sources[source_id] == SourceOutcome(0, 0, {}, [], "not_csv")
    assert sorted(row["source_id"] for row in lake.rows[LISTENS]) == sorted(readable)


def test_a_batch_of_one_file_that_spark_cannot_read_succeeds(pipeline):
    pipeline.stage({A: NOISE})
    assert pipeline.run(SparkLake()).sources == {A: SourceOutcome(0, 0, {}, [], "not_csv")}


def test_no_file_is_left_out_if_spark_cannot_read_a_valid_one_either(pipeline, monkeypatch):
    monkeypatch.setattr(
        "music_streams.transform.spark.batch._READABLE",
        ManifestSource("0" * 32, "streams", "readable.csv.gz", HEADER, RECEIVED_AT, 0),
    )
    pipeline.stage({A: NOISE, B: GOOD})
    lake = SparkLake()
    with pytest.raises(Py4JJavaError, match="not a gzip file"):
        pipeline.run(lake)
    assert lake.rows == SparkLake().rows


def test_an_error_that_no_file_causes_is_raised_unchanged(pipeline, monkeypatch):
    manifest = pipeline.stage({A: GOOD, B: GOOD})
    batch = SparkBatch(pipeline.spark, pipeline.s3, pipeline.folder, manifest, Broken(pipeline.spark), "x-1")  # type: ignore[arg-type]
    with pytest.raises(Py4JJavaError, match="reference data is broken"):
        batch.counts()


class Broken:
    """Reference data that fails on reading."""

    def __init__(self, spark: Any) -> None:
        columns = "id AS user_id, string(id) AS track_id, raise_error('reference data is broken') AS user_country"
        broken = spark.range(1).selectExpr(*columns.split(", "))
        self.users = broken.select("user_id", "user_country")
        self.songs = broken.selectExpr(
            "track_id", "'n' track_name", "'a' artists", "1L duration_ms", "array('g') genres"
        )


def test_a_run_without_any_songs_row_fails_and_parks_nothing(pipeline):
    pipeline.stage({A: GOOD})
    lake = SparkLake()
    with pytest.raises(NoReferenceData, match=r"no_reference_data: no usable songs row .*: there is no file"):
        pipeline.run(lake, landing="landing-of-nothing")
    assert lake.rows == SparkLake().rows


def test_a_batch_without_rows_needs_no_songs(pipeline):
    pipeline.stage({A: []})
    assert pipeline.run(SparkLake(), landing="landing-of-nothing").sources == {A: SourceOutcome(0, 0, {}, [])}


def test_a_run_without_files_reads_no_reference_data(pipeline):
    rebuild = Manifest(pipeline.folder.batch_id, [], days=["2024-06-25"])
    write_claimed(pipeline.s3, pipeline.folder, f"{pipeline.folder.batch_id}-1", rebuild)
    assert pipeline.run(SparkLake()).days == ["2024-06-25"]
    assert not pipeline.s3.path(LAKE, pipeline.folder.key(f"reference-{pipeline.folder.batch_id}-1.json")).exists()


def outcome_of(
    rows: list[dict[str, Any]], *, ratio: str = "0.20", days: int = 1, treatment: Treatment = Treatment.NORMAL
) -> SourceOutcome:
    """Return the outcome of source s with these row counts."""
    task = job.RunSettings(RunFolder(LAKE, "b"), "b-1", "jr_1", LANDING, Decimal(ratio), days, False)
    listed = ManifestSource("s", "streams", "s.csv", HEADER, RECEIVED_AT, 1_000, treatment)
    return job._outcomes(rows, Manifest("b", [listed]), task)["s"]


def rows_of_days(count: int, bad: int = 0) -> list[dict[str, Any]]:
    """Return the row counts of a file with a row a day, and of its bad rows."""
    days = [(date(1970, 1, 1) + timedelta(n)).isoformat() for n in range(count)]
    good = [{"source_id": "s", "reason": None, "day": day, "count": 1} for day in days]
    return [*good, *([{"source_id": "s", "reason": "bad_user_id", "day": None, "count": bad}] if bad else [])]


@pytest.mark.parametrize(("count", "verdict"), [(3, None), (4, "too_many_days"), (20_000, "too_many_days")])
def test_a_file_of_more_days_than_the_limit_is_quarantined_and_recomputes_none(count, verdict):
    outcome = outcome_of(rows_of_days(count, bad=1), days=3, ratio="0.25")
    assert (outcome.verdict, outcome.rows_read, outcome.rejected) == (verdict, count + 1, {"bad_user_id": 1})
    assert (outcome.rows_accepted, len(outcome.days)) == ((0, 0) if verdict else (count, count))


@pytest.mark.parametrize(
    ("treatment", "verdict"),
    [
        (Treatment.NORMAL, "too_many_bad_rows"),
        (Treatment.ACCEPT_BAD_ROWS, "too_many_days"),
        (Treatment.ACCEPT_MANY_DAYS, None),
    ],
)
def test_a_release_lifts_the_exceeded_limit_and_those_before(treatment, verdict):
    assert outcome_of(rows_of_days(4, bad=9), days=3, treatment=treatment).verdict == verdict


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
def test_a_file_is_quarantined_if_its_share_of_malformed_rows_is_strictly_greater(good, bad, harmless, ratio, is_kept):
    counts = [("s", None, "2024-06-25", good), ("s", "bad_user_id", None, bad), ("s", "duplicate", None, harmless)]
    rows = [dict(zip(("source_id", "reason", "day", "count"), values, strict=True)) for values in counts if values[3]]
    outcome = outcome_of(rows, ratio=ratio)
    assert (outcome.verdict is None) is is_kept
    assert outcome.rows_read == good + bad + harmless
    assert outcome.rows_accepted == (good if is_kept else 0)
