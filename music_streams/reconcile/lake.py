"""The lake's listens, read without Spark: PyIceberg plans the files, pyarrow streams them from S3.

Import it where it is used, not where a DAG is defined: importing PyIceberg is slow, and pyarrow's S3 client does not
survive a fork.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysFalse, And, GreaterThanOrEqual, LessThan, Or
from pyiceberg.expressions.visitors import bind
from pyiceberg.io.pyarrow import expression_to_pyarrow

from music_streams import clock
from music_streams.aws.clients import split_uri
from music_streams.errors import LakeChanged
from music_streams.transform.ports import DATABASE, LISTENS, Pinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table
    from types_boto3_glue import GlueClient

    from music_streams.stack import Stack

_COLUMNS = pa.schema(
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
_FILES = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Listens:
    """The table `listens` at one snapshot, which later commits do not change; None if there was no commit yet."""

    snapshot: Pinned | None
    _table: Table = field(repr=False)

    def rows(self, days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Yield every listen of these days (YYYY-MM-DD), copies of an event included, in batches of some ten thousand.

        Raises:
            LakeChanged: the snapshot expired while it was read (read the current one instead), or the table has
                delete files, which music-streams does not write.
        """
        try:
            yield from self._batches(_in_days(days))
        except FileNotFoundError as error:
            raise LakeChanged(
                f"data files of {DATABASE}.{LISTENS} are gone: the snapshot expired while it was read; "
                "read the table again"
            ) from error

    def _batches(self, in_days: BooleanExpression) -> Iterator[pa.RecordBatch]:
        files = ["/".join(split_uri(uri)) for uri in self._plan(in_days)]
        if not files:
            return
        bucket, _ = split_uri(self._table.location())
        listens = pyarrow.dataset.dataset(
            files, schema=_COLUMNS, format="parquet", filesystem=self._table.io.fs_by_scheme("s3", bucket)
        )
        # One file after another with little read-ahead, so that a whole day is never in memory. PyIceberg's own reader
        # loads whole files, several at a time.
        yield from listens.to_batches(
            filter=expression_to_pyarrow(bind(self._table.schema(), in_days, case_sensitive=True)),
            batch_size=_ROWS_AT_ONCE,
            batch_readahead=2,
            fragment_readahead=1,
        )

    def _plan(self, in_days: BooleanExpression) -> list[str]:
        """Return the data files with listens of these days, as S3 URIs."""
        tasks = list(self._table.scan(in_days).plan_files())
        if any(task.delete_files for task in tasks):
            raise LakeChanged(
                f"{DATABASE}.{LISTENS} has delete files, which music-streams does not write: find out who else writes "
                "to the lake, rewrite its data files (CALL system.rewrite_data_files), then read it again"
            )
        return [task.file.file_path for task in tasks]


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
        catalog = GlueCatalog("lake", self.glue, **self.file_system, **_FILES)
        try:
            table = catalog.load_table((DATABASE, LISTENS))
        except (NoSuchTableError, FileNotFoundError):  # The catalog may still have the table.
            return None
        current = table.current_snapshot()
        if current is None:
            return Listens(None, table)
        return Listens(Pinned(current.snapshot_id, current.sequence_number, str(table.metadata.table_uuid)), table)


def _in_days(days: Iterable[str]) -> BooleanExpression:
    """Return ranges on the column itself, by which Iceberg prunes partitions."""
    return Or(AlwaysFalse(), AlwaysFalse(), *map(_in_range, clock.ranges_of(days)))  # Or needs two operands at least.


def _in_range(days: tuple[str, str]) -> BooleanExpression:
    begin, end = (f"{day}T00:00:00+00:00" for day in (days[0], clock.day_after(days[1])))
    return And(GreaterThanOrEqual("listened_at", begin), LessThan("listened_at", end))
