"""The lake after many arrivals: the steps of a run that read its metadata, with and without maintenance.

    .venv/bin/python -m benchmarks.growth --every 250
    .venv/bin/python -m benchmarks.growth --every 0

The arrivals are simulated: 20 a day, each a file of one day's listens. Iceberg's own library commits them, 25 snapshots
at a time, to the table that the transform created, so that weeks pass in minutes. The measured steps are those of the
transform on a warm Spark session: its append, its pin, its read of the touched day including planning, and a replay's
search for older copies with their deletion. The lake is measured just before the next maintenance, its worst state.
Everything runs on this machine, on an S3 without latency: the ratios show the growth, the seconds do not apply to AWS.

Prints the results, and writes benchmarks/results/growth-*.json.
"""

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyspark.sql import DataFrame, SparkSession

from benchmarks import iceberg
from benchmarks.iceberg import BUCKET, REGION
from local.aws import Aws
from music_streams.maintain.tables import SNAPSHOT_RETENTION, TableMaintenance
from music_streams.transform.ports import DATABASE, LISTENS, RowsToDelete
from music_streams.transform.spark import lake as lakes
from music_streams.transform.spark.lake import IcebergLake

RESULTS = Path(__file__).parent / "results"
ARRIVALS_A_DAY, ROWS = 20, 500
AT_ONCE = 25
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
STEPS = ("append", "pin", "read of the day", "replay")


@dataclass(frozen=True)
class Point:
    """The measurements at one size of the lake.

    Attributes:
        seconds: of each step, in each repetition.
        metadata_bytes: of the metadata file that every run reads.
        maintenance_seconds: of the last maintenance; None if there was none.
    """

    arrivals: int
    is_maintained: bool
    seconds: dict[str, list[float]]
    data_files: int
    manifests: int
    snapshots: int
    metadata_bytes: int
    maintenance_seconds: float | None


@dataclass
class Growing:
    """A lake with simulated arrivals of files with `schema`, and maintenance after `every` arrivals (0: none)."""

    lake: IcebergLake
    schema: pa.Schema
    every: int
    arrivals: int = 0
    maintenance_seconds: float | None = None
    _executions: int = 0

    def grow(self, arrivals: int) -> None:
        """Add arrivals up to a number. A maintenance that is due then runs before the next arrival."""
        while self.arrivals < arrivals:
            if self.every and self.arrivals and self.arrivals % self.every == 0:
                self.maintenance_seconds = _timed(self._maintain)
            until_due = self.every - self.arrivals % self.every if self.every else AT_ONCE
            self._arrive(min(AT_ONCE, until_due, arrivals - self.arrivals))

    def measure(self, repetitions: int) -> Point:
        """Measure the transform's steps repeatedly, after one repetition for warm-up."""
        seconds: dict[str, list[float]] = {name: [] for name in STEPS}
        for number in range(repetitions + 1):
            for name, took in self._run():
                if number:
                    seconds[name].append(took)
        state, manifests = self.lake.state(LISTENS), len(self.lake.manifests(LISTENS))
        lake = (state.total("data-files"), manifests, state.snapshots, len(json.dumps(state.metadata)))
        return Point(self.arrivals, bool(self.every), seconds, *lake, self.maintenance_seconds)

    def _run(self) -> Iterator[tuple[str, float]]:
        """Measure a run for a file of the newest day, and a second attempt of it."""
        day = self._day(self.arrivals)
        self._executions += 1
        source, first, again = (f"{self._executions:032x}", *(f"run{self._executions}-{n}" for n in (1, 2)))
        yield "append", _timed(lambda: self.lake.append(LISTENS, self._rows(day, source, first), first))
        yield "pin", _timed(self.lake.pin)
        listens = self.lake.listens_at(self.lake.pin().snapshot_id, [f"{day:%Y-%m-%d}"])
        yield "read of the day", _timed(lambda: listens.write.format("noop").mode("overwrite").save())
        self.lake.append(LISTENS, self._rows(day, source, again), again)
        to_delete = RowsToDelete(again, [source], [], [])
        yield "replay", _timed(lambda: self.lake.delete(to_delete, self.lake.find(to_delete)))

    def _rows(self, day: datetime, source: str, execution: str) -> DataFrame:
        return iceberg.listens(self.lake.spark, ROWS, f"{day:%Y-%m-%d}", source, execution)

    def _arrive(self, count: int) -> None:
        """Commit files, each in its own snapshot."""
        java: Any = self.lake.spark._jvm
        table = java.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
            self.lake.spark._jsparkSession, f"lake.{DATABASE}.{LISTENS}"
        )
        transaction = table.newTransaction()
        for _ in range(count):
            day = f"listened_at_day={self._day(self.arrivals):%Y-%m-%d}"
            content = self._file()
            key = f"warehouse/{DATABASE}.db/{LISTENS}/data/{day}/arrival-{self.arrivals}.parquet"
            self.lake.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            file = java.org.apache.iceberg.DataFiles.builder(table.spec()).withPath(f"s3://{BUCKET}/{key}")
            file = file.withFormat("PARQUET").withPartitionPath(day).withRecordCount(ROWS)
            append = transaction.newAppend().appendFile(file.withFileSizeInBytes(len(content)).build())
            append.set("execution", f"arrival{self.arrivals}-1")
            append.commit()
            self.arrivals += 1
        transaction.commitTransaction()

    def _file(self) -> bytes:
        day, number = self._day(self.arrivals), self.arrivals
        instants = [day + timedelta(seconds=number % ARRIVALS_A_DAY, milliseconds=n) for n in range(ROWS)]
        columns = {
            "user_id": range(1, ROWS + 1),
            "track_id": ["0123456789abcdefghijkl"] * ROWS,
            "listened_at": instants,
            "duration_ms": [200_000] * ROWS,
            "track_name": ["name"] * ROWS,
            "artists": ["artists"] * ROWS,
            "genres": [["pop", "rock"]] * ROWS,
            "user_country": ["DE"] * ROWS,
            "source_id": [f"{number:032x}"[::-1]] * ROWS,
            "execution": [f"arrival{number}-1"] * ROWS,
            "reference_version": [1] * ROWS,
        }
        content = io.BytesIO()
        pyarrow.parquet.write_table(pa.table(columns, schema=self.schema), content, compression="zstd")
        return content.getvalue()

    def _maintain(self) -> None:
        """Run the job's steps as if the arrivals were of a week: the snapshots of three days of seven stay."""
        commits = sorted(int(snapshot["timestamp-ms"]) for snapshot in self.lake.state(LISTENS).metadata["snapshots"])
        oldest = commits[max(0, len(commits) - self.every * 3 // 7)]
        maintenance = TableMaintenance(self.lake, datetime.fromtimestamp(oldest / 1000, UTC) + SNAPSHOT_RETENTION)
        maintenance.compact(LISTENS)
        maintenance.merge_manifests(LISTENS)
        maintenance.expire(LISTENS)

    @staticmethod
    def _day(arrival: int) -> datetime:
        return FIRST_DAY + timedelta(days=arrival // ARRIVALS_A_DAY)


def _timed(step: Callable[[], object]) -> float:
    began = time.monotonic()
    step()
    return time.monotonic() - began


def lake_of(spark: SparkSession, aws: Aws, every: int) -> Growing:
    """Create an empty lake."""
    glue: Any = aws.client("glue")
    lake = IcebergLake(spark.newSession(), glue, aws.client("s3"))
    lake.state(LISTENS)
    endpoint = {"s3.endpoint": aws.endpoint, "s3.region": REGION}
    schema = GlueCatalog("lake", glue, **endpoint).load_table((DATABASE, LISTENS)).schema()
    return Growing(lake, schema_to_pyarrow(schema), every)


def show(points: list[Point], first: Point) -> None:
    """Print the size of the lake, then median, minimum and maximum of each step, and the ratio to the first point."""
    for point in points:
        print(
            f"{point.arrivals:,} arrivals, maintained: {point.is_maintained}; {point.data_files:,} files, "
            f"{point.snapshots:,} snapshots, {point.manifests:,} manifests, "
            f"{point.metadata_bytes / 1000:,.0f} kB of metadata"
        )
        for name in STEPS:
            took, median = point.seconds[name], statistics.median(point.seconds[name])
            ratio = median / statistics.median(first.seconds[name])
            print(f"  {name:<16} {median:6.2f} s ({min(took):.2f} to {max(took):.2f}), {ratio:.1f}x", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=int, nargs="+", default=[10, 500, 1_000, 2_000], help="arrivals to measure at")
    parser.add_argument("--every", type=int, default=250, help="arrivals from one maintenance to the next; 0: none")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    points: list[Point] = []
    # Weeks pass in minutes here, so the limit for an execution is shortened too.
    lakes.MAX_EXECUTION_AGE = timedelta(seconds=1)
    with iceberg.cloud() as aws, iceberg.session(aws, {"spark.sql.shuffle.partitions": "4"}) as spark:
        growing = lake_of(spark, aws, arguments.every)
        for arrivals in arguments.at:
            growing.grow(arrivals)
            points.append(growing.measure(arguments.repetitions))
            show(points[-1:], points[0])
    results = [
        {**asdict(point), "seconds": {name: [round(s, 3) for s in took] for name, took in point.seconds.items()}}
        for point in points
    ]
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / f"growth-{'every-' + str(arguments.every) if arguments.every else 'never'}.json"
    place.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {place}")


if __name__ == "__main__":
    main()
