"""The lake's tables, read without Spark: PyIceberg plans the files, pyarrow streams them from S3.

Import it where it is used, not where a DAG is defined: importing PyIceberg is slow, and pyarrow's S3 client does not
survive a fork.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysFalse, And, EqualTo, GreaterThanOrEqual, In, LessThan, Or
from pyiceberg.expressions.visitors import bind
from pyiceberg.io.pyarrow import expression_to_pyarrow

from music_streams import clock
from music_streams.aws.clients import split_uri
from music_streams.errors import LakeChanged
from music_streams.transform.ports import DATABASE, LISTENS, REJECTED_ROWS, Pinned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table
    from types_boto3_glue import GlueClient

    from music_streams.stack import Stack

UNKNOWN_TRACK = "unknown_track"
"""The reason of parked rows."""
_COLUMNS_OF_LISTENS = pa.schema(
    {
        "user_id": pa.int64(),
        "track_id": pa.string(),
        "listened_at": pa.timestamp("us", "UTC"),
        "duration_ms": pa.int64(),
        "track_name": pa.string(),
        "artists": pa.string(),
        "genres": pa.list_(pa.string()),
        "user_country": pa.string(),
        "source_id": pa.string(),
        "reference_version": pa.int64(),
    }
)
_COLUMNS_OF_REJECTED_ROWS = pa.schema(
    {"raw": pa.string(), "reason": pa.string(), "source_id": pa.string(), "received_at": pa.timestamp("us", "UTC")}
)
_FILES = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
_ROWS_AT_ONCE = 65_536
_IS_PARKED = EqualTo("reason", UNKNOWN_TRACK)


@dataclass(frozen=True)
class _TableRows:
    """The rows of a table at one snapshot, which later commits do not change."""

    _name: ClassVar[str]
    _columns: ClassVar[pa.Schema]
    _table: Table = field(repr=False)

    def _rows(self, condition: BooleanExpression, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows that meet a condition, in batches of some ten thousand.

        Raises:
            LakeChanged: the snapshot expired while it was read (read the current one instead), or the table has
                delete files, which music-streams does not write.
        """
        try:
            yield from self._batches(condition, columns)
        except FileNotFoundError as error:
            raise LakeChanged(
                f"data files of {DATABASE}.{self._name} are gone: the snapshot expired while it was read; "
                "read the table again"
            ) from error

    def _batches(self, condition: BooleanExpression, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        files = ["/".join(split_uri(uri)) for uri in self._plan(condition)]
        if not files:
            return
        bucket, _ = split_uri(self._table.location())
        rows = pyarrow.dataset.dataset(
            files, schema=self._columns, format="parquet", filesystem=self._table.io.fs_by_scheme("s3", bucket)
        )
        # One file after another with little read-ahead, so that a whole day is never in memory. PyIceberg's own reader
        # loads whole files, several at a time.
        yield from rows.to_batches(
            columns=columns,
            filter=expression_to_pyarrow(bind(self._table.schema(), condition, case_sensitive=True)),
            batch_size=_ROWS_AT_ONCE,
            batch_readahead=2,
            fragment_readahead=1,
        )

    def _plan(self, condition: BooleanExpression) -> list[str]:
        """Return the data files that may have such rows, as S3 URIs."""
        tasks = list(self._table.scan(condition).plan_files())
        if any(task.delete_files for task in tasks):
            raise LakeChanged(
                f"{DATABASE}.{self._name} has delete files, which music-streams does not write: find out who else "
                "writes to the lake, rewrite its data files (CALL system.rewrite_data_files), then read it again"
            )
        return [task.file.file_path for task in tasks]


@dataclass(frozen=True)
class Listens(_TableRows):
    """The table `listens`; `snapshot` is None if there was no commit yet."""

    _name = LISTENS
    _columns = _COLUMNS_OF_LISTENS
    snapshot: Pinned | None

    def rows(self, days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Yield every listen of these days (YYYY-MM-DD), copies of an event included. Raises as :meth:`_rows`."""
        return self._rows(_in_days("listened_at", days))


@dataclass(frozen=True)
class RejectedRows(_TableRows):
    """The table `rejected_rows`. Its methods raise as :meth:`_rows`."""

    _name = REJECTED_ROWS
    _columns = _COLUMNS_OF_REJECTED_ROWS

    def parked(self, source_ids: Collection[str], days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Yield `source_id` and `raw` of the parked rows of sources that arrived on these days (YYYY-MM-DD)."""
        condition = And(_IS_PARKED, In("source_id", source_ids), _in_days("received_at", days))
        return self._rows(condition, ["source_id", "raw"])

    def parked_sources(self) -> set[str]:
        """Return the source_ids that have parked rows."""
        batches = self._rows(_IS_PARKED, ["source_id"])
        return {name for batch in batches for name in pyarrow.compute.unique(batch["source_id"]).to_pylist()}


@dataclass(frozen=True)
class LakeReader:
    """Reads the lake of a pipeline.

    Attributes:
        glue: a client for the catalog.
        file_system: PyIceberg's settings for S3 (https://py.iceberg.apache.org/configuration/#s3).
    """

    glue: GlueClient
    file_system: dict[str, str | None] = field(repr=False)

    @classmethod
    def of(cls, stack: Stack) -> LakeReader:
        """Return the reader of a stack's lake, with the endpoint and credentials of the stack's clients.

        Create it when it is needed: temporary credentials, such as a role's, are not refreshed.
        """
        settings: dict[str, str | None] = {
            "s3.region": stack.s3.meta.region_name,
            "s3.endpoint": stack.s3.meta.endpoint_url,
        }
        if credentials := stack.session.get_credentials():
            frozen = credentials.get_frozen_credentials()
            settings |= {"s3.access-key-id": frozen.access_key, "s3.secret-access-key": frozen.secret_key}
            settings |= {"s3.session-token": frozen.token} if frozen.token else {}
        return cls(stack.client("glue"), settings)

    def listens(self) -> Listens | None:
        """Return the table `listens` at its current snapshot; None if there is no table, or its metadata is gone."""
        table = self._load(LISTENS)
        if table is None:
            return None
        current = table.current_snapshot()
        if current is None:
            return Listens(table, None)
        return Listens(table, Pinned(current.snapshot_id, current.sequence_number, str(table.metadata.table_uuid)))

    def rejected_rows(self) -> RejectedRows | None:
        """Return the table `rejected_rows` at its current snapshot; None as :meth:`listens`."""
        table = self._load(REJECTED_ROWS)
        return RejectedRows(table) if table else None

    def _load(self, name: str) -> Table | None:
        catalog = GlueCatalog("lake", self.glue, **self.file_system, **_FILES)
        try:
            return catalog.load_table((DATABASE, name))
        except (NoSuchTableError, FileNotFoundError):  # The catalog may still have the table.
            return None


def _in_days(column: str, days: Iterable[str]) -> BooleanExpression:
    """Return ranges on the column itself, by which Iceberg prunes partitions."""
    ranges = (_in_range(column, *each) for each in clock.ranges_of(days))
    return Or(AlwaysFalse(), AlwaysFalse(), *ranges)  # Or needs two operands at least.


def _in_range(column: str, first: str, last: str) -> BooleanExpression:
    begin, end = (f"{day}T00:00:00+00:00" for day in (first, clock.day_after(last)))
    return And(GreaterThanOrEqual(column, begin), LessThan(column, end))
