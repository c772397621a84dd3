"""The lake: Iceberg tables `listens` and `rejected_rows` in the Glue Data Catalog (docs/design.md, section 5).

What the catalog and a table's metadata file say is read from them directly, not through Spark.
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
from music_streams.transform.spark.rows_to_delete import deletion_condition, was_found
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
    "commit.retry.num-retries": "20",  # runs commit side by side
    "write.delete.isolation-level": "snapshot",  # rows that others append meanwhile are none of its business
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}
# Bounds of these columns would name users in the lake's manifests, also after their rows are gone.
_WITHOUT_BOUNDS = {LISTENS: "user_id", REJECTED_ROWS: "raw"}
_TRIES = 10
_CONFLICT = "org.apache.iceberg.exceptions.ValidationException"
EXECUTIONS_END = timedelta(days=1)  # the state machine's time-out, and a job's that outlives it: 9 hours


@dataclass(frozen=True)
class IcebergLake:
    """The lake's tables in Iceberg: see :class:`ports.Lake`."""

    spark: SparkSession
    glue: GlueClient
    s3: S3Client

    def state(self, table: str) -> TableState:
        """The table as it is now; it is created where it does not exist yet."""
        location = self._metadata_location(table) or self._create(table)
        if location is None:
            raise LakeChanged(f"table {DATABASE}.{table} was just created and is not in the catalog; who deletes it?")
        bucket, key = split_uri(location)
        return TableState(json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def exists(self, table: str) -> bool:
        """Whether a run has created the table."""
        return self._metadata_location(table) is not None

    def append(self, table: str, rows: DataFrame, execution: str, *, few_days: bool = False) -> None:
        """Commit rows, once for each execution; those of few days without sorting them first."""
        if not self._has_committed(table, execution):
            # Nulls for the columns that the table's owner has added: Spark appends nothing that lacks a column.
            added = [field for field in self._table(table).schema if field.name not in rows.columns]
            whole = rows.select("*", *(F.lit(None).cast(field.dataType).alias(field.name) for field in added))
            # Each task writes a file for each day it has rows of: sending rows to one task a day costs more than a few
            # files do.
            told = {
                "snapshot-property.execution": execution,
                "distribution-mode": "none",
                "fanout-enabled": str(few_days).lower(),
            }
            whole.writeTo(self._name(table)).options(**told).append()

    def find(self, to_delete: RowsToDelete) -> FoundRows:
        """What the tables hold of the leaving rows."""
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
        """Write track_id and day of the listens that were found."""
        rows = self._table(LISTENS).where(was_found(LISTENS, to_delete, found))
        rows.select("track_id", _day().alias("day")).distinct().write.mode("overwrite").parquet(uri)

    def delete(self, to_delete: RowsToDelete, found: FoundRows) -> None:
        """Delete what was found. Readers never see a dip: what replaces older copies is there already."""
        for table in (REJECTED_ROWS, LISTENS):
            self._delete(table, was_found(table, to_delete, found))

    def delete_rejected_before(self, midnight: datetime) -> int:
        """Delete the rejected rows of files that arrived before a UTC midnight; answers how many there were.

        They fill whole partitions, so no file is read or written for it. Where there are none nothing is committed.
        """
        condition = f"received_at < {timestamp(midnight)}"
        found = self._table(REJECTED_ROWS).where(condition).count()
        if found:
            self._delete(REJECTED_ROWS, condition)
        return found

    def expire(self) -> None:
        """Let snapshots and files go that the current snapshot does not need.

        What runs wrote and never committed is left for a day: nothing tells it from what another is about to commit.
        """
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for table in (LISTENS, REJECTED_ROWS):
            state = self.state(table)
            if state.has_snapshot:
                moment = datetime.fromtimestamp(state.moment / 1000, UTC)
                self.call("expire_snapshots", table, older_than=timestamp(moment))
            self.remove_orphans(table, yesterday)

    def remove_orphans(self, table: str, older_than: datetime) -> int:
        """Delete the files of a table that no snapshot refers to; answers how many.

        They are listed by Iceberg's own S3FileIO: the file system of Hadoop also asks for keys that may be missing, and
        who may list a prefix only is answered 403, not 404, to that.
        """
        removed = self.call("remove_orphan_files", table, older_than=timestamp(older_than), prefix_listing="true")
        return len(removed)

    def call(self, procedure: str, table: str, **arguments: str) -> list[Row]:
        """Call a procedure of Iceberg, its arguments as SQL has them."""
        self._refresh(table)
        told = "".join(f", {name} => {value}" for name, value in arguments.items())
        return self.spark.sql(f"CALL {_CATALOG}.system.{procedure}(table => '{DATABASE}.{table}'{told})").collect()

    def small_files(self, table: str, size: int, fewest: int) -> int:
        """How many data files are smaller than so many bytes, in partitions that have so many of them or more."""
        self._refresh(table)
        files = self.spark.table(f"{self._name(table)}.files").where(f"content = 0 AND file_size_in_bytes < {size}")
        crowded = files.groupBy("partition").count().where(F.col("count") >= fewest)
        return int(crowded.agg(F.coalesce(F.sum("count"), F.lit(0))).collect()[0][0])

    def manifests(self, table: str) -> list[int]:
        """The bytes of each manifest of the current snapshot."""
        self._refresh(table)
        return [row["length"] for row in self.spark.table(f"{self._name(table)}.manifests").collect()]

    def pin(self) -> Pinned:
        """The current snapshot of `listens`."""
        state = self.state(LISTENS)
        return Pinned(state.snapshot_id, state.version, state.uuid)

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        """Write the metrics of whole days, and rows without metrics for tracks that they have lost."""
        metrics_output.write(self.listens_at(pinned.snapshot_id, days), days, tracks, uri)

    def listens_at(self, snapshot_id: int, days: list[str]) -> DataFrame:
        """The listens of whole days as a snapshot has them."""
        self._refresh(LISTENS)
        listens = self.spark.read.option("snapshot-id", snapshot_id).table(self._name(LISTENS))
        # Ranges on the column itself, so that Iceberg reads the partitions of these days only.
        in_days = F.lit(False)
        for first, last in clock.ranges_of(days):
            start, end = F.lit(first).cast("timestamp"), F.date_add(F.lit(last).cast("date"), 1).cast("timestamp")
            in_days |= (F.col("listened_at") >= start) & (F.col("listened_at") < end)
        return listens.where(in_days)

    def _has_committed(self, table: str, execution: str) -> bool:
        state = self.state(table)
        if state.has_commit_of(execution) or state.lists_all_since(datetime.now(UTC) - EXECUTIONS_END):
            return state.has_commit_of(execution)
        # A `forget` may have let its snapshot expire; its rows tell as well.
        return not self._table(table).where(F.col("execution") == execution).isEmpty()

    def _table(self, table: str) -> DataFrame:
        self._refresh(table)
        return self.spark.table(self._name(table))

    def _refresh(self, table: str) -> None:
        """Forget the session's idea of the table: it does not know what other runs have committed."""
        self.spark.sql(f"REFRESH TABLE {self._name(table)}")

    def _delete(self, table: str, condition: str) -> None:
        for tries_left in reversed(range(_TRIES)):
            self._refresh(table)
            try:
                self.spark.sql(f"DELETE FROM {self._name(table)} WHERE {condition}")  # noqa: S608
                return
            except Py4JJavaError as error:
                # Another run rewrote one of the files meanwhile. Begun anew, the statement sees the new ones.
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
        told = {**_PROPERTIES, f"write.metadata.metrics.column.{_WITHOUT_BOUNDS[table]}": "counts"}
        properties = ", ".join(f"'{name}'='{value}'" for name, value in told.items())
        try:
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {self._name(table)} ({_COLUMNS[table]}) USING iceberg "
                f"PARTITIONED BY ({_PARTITIONS[table]}) TBLPROPERTIES ({properties})"
            )
        except AnalysisException:
            if self._metadata_location(table) is None:  # else another run created it in the same moment
                raise
        return self._metadata_location(table)

    def _name(self, table: str) -> str:
        return f"{_CATALOG}.{DATABASE}.{table}"


def is_conflict(error: Py4JJavaError) -> bool:
    """Whether Iceberg refused a commit because others have changed the same files since it was planned."""
    return _CONFLICT in str(error.java_exception.toString())


def timestamp(moment: datetime) -> str:
    """A SQL literal; the session's zone is UTC."""
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def _day() -> Column:
    return F.to_date("listened_at").cast("string")
