"""The lake: Iceberg tables `listens` and `rejected_rows` in the Glue Data Catalog (docs/design.md, section 5).

What the catalog and a table's metadata file say is read from them directly: one small file tells the current snapshot,
its sequence number and every snapshot's properties at once and consistently (Iceberg table spec, "Table Metadata":
https://iceberg.apache.org/spec/#table-metadata-fields).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from music_streams.aws import error_code, split_uri
from music_streams.errors import LakeChanged

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client

DATABASE = "music_streams"
LISTENS = "listens"
REJECTED_ROWS = "rejected_rows"
_CATALOG = "lake"  # as the template's --conf names it
_COLUMNS = {
    LISTENS: """user_id BIGINT NOT NULL, track_id STRING NOT NULL, listened_at TIMESTAMP NOT NULL,
        duration_ms BIGINT NOT NULL, track_name STRING, artists STRING, genres ARRAY<STRING>, user_country STRING,
        source_id STRING NOT NULL, execution STRING NOT NULL, reference_version BIGINT NOT NULL""",
    REJECTED_ROWS: "raw STRING, reason STRING NOT NULL, source_id STRING NOT NULL, execution STRING NOT NULL",
}
_PARTITIONS = {LISTENS: "PARTITIONED BY (days(listened_at))", REJECTED_ROWS: ""}
_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "20",  # runs commit side by side
    "write.delete.isolation-level": "snapshot",  # rows that others append meanwhile are none of its business
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}


@dataclass(frozen=True)
class Commit:
    """What an execution committed: the snapshot's own properties."""

    days: list[str]


@dataclass(frozen=True)
class TableState:
    """A table at one moment, from its metadata file."""

    metadata: dict[str, Any]

    @property
    def uuid(self) -> str:
        """The table's UUID: another one is another table, whose versions do not compare."""
        return str(self.metadata["table-uuid"])

    @property
    def snapshot_id(self) -> int:
        """The current snapshot.

        Raises:
            LakeChanged: the table has none.
        """
        current = self.metadata.get("current-snapshot-id")
        if current in (None, -1):
            raise LakeChanged(
                "the lake table has no snapshot; was it made anew while the run went on? Put the files again"
            )
        return int(current)

    @property
    def version(self) -> int:
        """The sequence number of the current snapshot."""
        return next(int(s["sequence-number"]) for s in self._snapshots if s["snapshot-id"] == self.snapshot_id)

    def commit_of(self, execution: str) -> Commit | None:
        """The append of an execution, found by its snapshot property; None where it has not committed."""
        for snapshot in self._snapshots:
            if snapshot["summary"].get("execution") == execution:
                return Commit(json.loads(snapshot["summary"]["days"]))
        return None

    @property
    def _snapshots(self) -> list[dict[str, Any]]:
        snapshots: list[dict[str, Any]] = self.metadata.get("snapshots", [])
        return snapshots


@dataclass(frozen=True)
class Lake:
    """Reads and commits the lake's tables."""

    spark: SparkSession
    glue: GlueClient
    s3: S3Client

    def state(self, table: str) -> TableState:
        """The table as it is now; it is created where it does not exist yet."""
        location = self._metadata_location(table)
        if location is None:
            self._create(table)
            location = self._metadata_location(table)
        if location is None:
            raise LakeChanged(f"table {DATABASE}.{table} was just created and is not in the catalog; who deletes it?")
        bucket, key = split_uri(location)
        return TableState(json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def append(self, table: str, rows: DataFrame, execution: str, days: list[str]) -> None:
        """Commit rows, once for each execution: where its commit is there already nothing happens."""
        if self.state(table).commit_of(execution):
            return
        (
            rows.writeTo(self._name(table))
            .option("snapshot-property.execution", execution)
            .option("snapshot-property.days", json.dumps(days))
            .append()
        )

    def days_of(self, source_ids: list[str], except_execution: str) -> list[str]:
        """The days of the sources' listens that other executions committed."""
        older = self.spark.table(self._name(LISTENS)).where(
            F.col("source_id").isin(source_ids) & (F.col("execution") != except_execution)
        )
        return [
            row.day for row in older.select(F.to_date("listened_at").cast("string").alias("day")).distinct().collect()
        ]

    def delete_older_copies(self, source_ids: list[str], execution: str) -> None:
        """Delete the sources' rows that other executions committed. Readers never see a dip: the new rows are there."""
        ids = ", ".join(f"'{source_id}'" for source_id in source_ids)  # hex digits, made by us
        for table in (REJECTED_ROWS, LISTENS):
            self.spark.sql(
                f"DELETE FROM {self._name(table)} WHERE source_id IN ({ids}) AND execution <> '{execution}'"  # noqa: S608
            )

    def listens_at(self, snapshot_id: int, days: list[str]) -> DataFrame:
        """The listens of whole days as a snapshot has them."""
        listens = self.spark.read.option("snapshot-id", snapshot_id).table(self._name(LISTENS))
        # Ranges on the column itself, so that Iceberg reads the partitions of these days only.
        in_days = F.lit(False)
        for first, last in _ranges(days):
            start, end = F.lit(first).cast("timestamp"), F.date_add(F.lit(last).cast("date"), 1).cast("timestamp")
            in_days |= (F.col("listened_at") >= start) & (F.col("listened_at") < end)
        return listens.where(in_days)

    def _metadata_location(self, table: str) -> str | None:
        try:
            found = self.glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return None
            raise
        return found["Parameters"]["metadata_location"]

    def _create(self, table: str) -> None:
        properties = ", ".join(f"'{name}'='{value}'" for name, value in _PROPERTIES.items())
        try:
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {self._name(table)} ({_COLUMNS[table]}) USING iceberg "
                f"{_PARTITIONS[table]} TBLPROPERTIES ({properties})"
            )
        except AnalysisException:
            if self._metadata_location(table) is None:  # else another run created it in the same moment
                raise

    def _name(self, table: str) -> str:
        return f"{_CATALOG}.{DATABASE}.{table}"


def _ranges(days: list[str]) -> list[tuple[str, str]]:
    """The first and last day of each unbroken run of days."""
    ranges: list[tuple[str, str]] = []
    for day in sorted(days):
        if ranges and date.fromisoformat(ranges[-1][1]) + timedelta(days=1) == date.fromisoformat(day):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
