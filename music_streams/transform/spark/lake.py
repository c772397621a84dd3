"""The lake: Iceberg tables `listens` and `rejected_rows` in the Glue Data Catalog (docs/design.md, section 5).

The catalog and a table's metadata file are read directly, not through Spark.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from music_streams import clock
from music_streams.aws.clients import error_code, split_uri
from music_streams.errors import LakeChanged
from music_streams.transform.ports import DATABASE, LISTENS, REJECTED_ROWS, FoundRows, Pinned, RowsToDelete
from music_streams.transform.spark import metrics_output
from music_streams.transform.spark.rows_to_delete import deletion_condition, found_condition
from music_streams.transform.table_state import TableState

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row, SparkSession
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client

_CATALOG = "lake"  # as the template's --conf names it
_COLUMNS = {
    LISTENS: """user_id BIGINT NOT NULL, track_id STRING NOT NULL, listened_at TIMESTAMP NOT NULL,
        duration_ms BIGINT NOT NULL, track_name STRING, artists STRING, genres ARRAY<STRING>, user_country STRING,
        source_id STRING NOT NULL, execution STRING NOT NULL, reference_version BIGINT NOT NULL""",
    REJECTED_ROWS: """raw STRING, reason STRING NOT NULL, source_id STRING NOT NULL, execution STRING NOT NULL,
        received_at TIMESTAMP NOT NULL""",
}
_PARTITIONS = {LISTENS: "days(listened_at)", REJECTED_ROWS: "days(received_at)"}
_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "20",  # runs commit concurrently
    "write.delete.isolation-level": "snapshot",  # concurrent appends do not conflict with a delete
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}
# Bounds of these columns would keep user ids in the lake's manifests after their rows are deleted.
_WITHOUT_BOUNDS = {LISTENS: "user_id", REJECTED_ROWS: "raw"}
_TRIES = 10
_CONFLICT = "org.apache.iceberg.exceptions.ValidationException"
MAX_EXECUTION_AGE = timedelta(days=1)  # with the jobs that it leaves running: their timeouts add up to 9 h


@dataclass(frozen=True)
class IcebergLake:
    """The lake's tables in Iceberg: see :class:`ports.Lake`."""

    spark: SparkSession
    glue: GlueClient
    s3: S3Client

    def state(self, table: str) -> TableState:
        """Return the current state of the table, which is created if it does not exist."""
        location = self._metadata_location(table) or self._create(table)
        if location is None:
            raise LakeChanged(
                f"table {DATABASE}.{table} was just created and is not in the catalog: find out who drops it"
            )
        bucket, key = split_uri(location)
        return TableState(json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def exists(self, table: str) -> bool:
        """Return whether a run has created the table."""
        return self._metadata_location(table) is not None

    def append(self, table: str, rows: DataFrame, execution: str, *, few_days: bool = False) -> None:
        """Commit rows, once for each execution; if they are of few days, Spark need not sort them by day."""
        if not self._has_committed(table, execution):
            # The table's owner may have added columns; Spark appends only rows that have all of them.
            added = [field for field in self._table(table).schema if field.name not in rows.columns]
            complete = rows.select("*", *(F.lit(None).cast(field.dataType).alias(field.name) for field in added))
            # Each task writes a file for each of its days: a shuffle to one task a day costs more than the extra files.
            options = {
                "snapshot-property.execution": execution,
                "distribution-mode": "none",
                "fanout-enabled": str(few_days).lower(),
            }
            complete.writeTo(self._name(table)).options(**options).append()

    def find(self, to_delete: RowsToDelete) -> FoundRows:
        """Find the rows to delete in both tables."""
        days: dict[str, set[str]] = {}
        executions: set[str] = set()
        for table, day in ((LISTENS, _day()), (REJECTED_ROWS, F.lit(None))):
            self.state(table)
            rows = self._table(table).where(deletion_condition(table, to_delete))
            groups = rows.groupBy("source_id", "execution").agg(F.collect_set(day).alias("days"))
            for row in groups.collect():
                days.setdefault(row["source_id"], set()).update(row["days"])
                executions.add(row["execution"])
        return FoundRows(days, executions)

    def write_tracks(self, to_delete: RowsToDelete, found: FoundRows, uri: str) -> None:
        """Write track_id and day of the found listens."""
        rows = self._table(LISTENS).where(found_condition(LISTENS, to_delete, found))
        rows.select("track_id", _day().alias("day")).distinct().write.mode("overwrite").parquet(uri)

    def delete(self, to_delete: RowsToDelete, found: FoundRows) -> None:
        """Delete the found rows. Metrics do not dip: the rows that replace older copies are already committed."""
        for table in (REJECTED_ROWS, LISTENS):
            self._delete(table, found_condition(table, to_delete, found))

    def delete_rejected_before(self, midnight: datetime) -> int:
        """Delete the rejected rows of files that arrived before a UTC midnight; return their number.

        They fill whole partitions, so Iceberg reads and writes no data file. Without such rows nothing is committed.
        """
        condition = f"received_at < {timestamp(midnight)}"
        count = self._table(REJECTED_ROWS).where(condition).count()
        if count:
            self._delete(REJECTED_ROWS, condition)
        return count

    def expire(self) -> None:
        """Expire all snapshots but the current one, and delete the files that it does not need.

        Uncommitted files are kept for a day, because a run may be about to commit them.
        """
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for table in (LISTENS, REJECTED_ROWS):
            state = self.state(table)
            if state.has_snapshot:
                committed_at = datetime.fromtimestamp(state.committed_at_ms / 1000, UTC)
                self.call("expire_snapshots", table, older_than=timestamp(committed_at))
            self.remove_orphans(table, yesterday)

    def remove_orphans(self, table: str, older_than: datetime) -> int:
        """Delete the files of a table that no snapshot refers to; return their number.

        Iceberg's S3FileIO lists them. Hadoop's file system also requests keys that may be missing: a role that may list
        only a prefix gets 403, not 404, for these.
        """
        removed = self.call("remove_orphan_files", table, older_than=timestamp(older_than), prefix_listing="true")
        return len(removed)

    def call(self, procedure: str, table: str, **arguments: str) -> list[Row]:
        """Call an Iceberg procedure; arguments are SQL expressions."""
        self._refresh(table)
        named = "".join(f", {name} => {value}" for name, value in arguments.items())
        return self.spark.sql(f"CALL {_CATALOG}.system.{procedure}(table => '{DATABASE}.{table}'{named})").collect()

    def small_files(self, table: str, size: int, fewest: int) -> int:
        """Count the data files of less than `size` bytes in partitions that have at least `fewest` of them."""
        self._refresh(table)
        files = self.spark.table(f"{self._name(table)}.files").where(f"content = 0 AND file_size_in_bytes < {size}")
        crowded = files.groupBy("partition").count().where(F.col("count") >= fewest)
        return int(crowded.agg(F.coalesce(F.sum("count"), F.lit(0))).collect()[0][0])

    def manifests(self, table: str) -> list[int]:
        """Return the size in bytes of each manifest of the current snapshot."""
        self._refresh(table)
        return [row["length"] for row in self.spark.table(f"{self._name(table)}.manifests").collect()]

    def pin(self) -> Pinned:
        """Return the current snapshot of `listens`."""
        state = self.state(LISTENS)
        return Pinned(state.snapshot_id, state.version, state.uuid)

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        """Write the metrics of whole days, and a row without metrics for each removed track without listens."""
        metrics_output.write(self.listens_at(pinned.snapshot_id, days), days, tracks, uri)

    def listens_at(self, snapshot_id: int, days: list[str]) -> DataFrame:
        """Return the listens of whole days in a snapshot."""
        self._refresh(LISTENS)
        listens = self.spark.read.option("snapshot-id", snapshot_id).table(self._name(LISTENS))
        # Ranges of the column itself let Iceberg read only the partitions of these days.
        in_days = F.lit(False)
        for first, last in clock.ranges_of(days):
            start, end = F.lit(first).cast("timestamp"), F.date_add(F.lit(last).cast("date"), 1).cast("timestamp")
            in_days |= (F.col("listened_at") >= start) & (F.col("listened_at") < end)
        return listens.where(in_days)

    def _has_committed(self, table: str, execution: str) -> bool:
        state = self.state(table)
        if state.has_commit_of(execution) or state.lists_all_since(datetime.now(UTC) - MAX_EXECUTION_AGE):
            return state.has_commit_of(execution)
        # A `forget` may have expired its snapshot, so look for its rows.
        return not self._table(table).where(F.col("execution") == execution).isEmpty()

    def _table(self, table: str) -> DataFrame:
        self._refresh(table)
        return self.spark.table(self._name(table))

    def _refresh(self, table: str) -> None:
        """Drop the session's cached table, which lacks the commits of other runs."""
        self.spark.sql(f"REFRESH TABLE {self._name(table)}")

    def _delete(self, table: str, condition: str) -> None:
        for tries_left in reversed(range(_TRIES)):
            self._refresh(table)
            try:
                self.spark.sql(f"DELETE FROM {self._name(table)} WHERE {condition}")  # noqa: S608
                return
            except Py4JJavaError as error:
                # Another run has rewritten one of the files: a retry of the statement reads the new ones.
                if not tries_left or not is_conflict(error):
                    raise

    def _metadata_location(self, table: str) -> str | None:
        try:
            found = self.glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return None
            raise
        return found["Parameters"]["metadata_location"]

    def _create(self, table: str) -> str | None:
        settings = {**_PROPERTIES, f"write.metadata.metrics.column.{_WITHOUT_BOUNDS[table]}": "counts"}
        properties = ", ".join(f"'{name}'='{value}'" for name, value in settings.items())
        try:
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {self._name(table)} ({_COLUMNS[table]}) USING iceberg "
                f"PARTITIONED BY ({_PARTITIONS[table]}) TBLPROPERTIES ({properties})"
            )
        except AnalysisException:
            if self._metadata_location(table) is None:  # else another run created it at the same time
                raise
        return self._metadata_location(table)

    def _name(self, table: str) -> str:
        return f"{_CATALOG}.{DATABASE}.{table}"


def is_conflict(error: Py4JJavaError) -> bool:
    """Return whether Iceberg rejected a commit because others have changed the same files since it was planned."""
    return _CONFLICT in str(error.java_exception.toString())


def timestamp(instant: datetime) -> str:
    """Return an instant as a SQL literal; the session's zone is UTC."""
    return f"TIMESTAMP '{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def _day() -> Column:
    return F.to_date("listened_at").cast("string")
