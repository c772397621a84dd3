"""The lake's listens, read without Spark: PyIceberg plans the files, pyarrow streams them from S3.

Import it where it is used, not where a DAG is defined: PyIceberg takes its time, and pyarrow's S3 must not be carried
across a fork.
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
    """The table `listens` as it was when it was looked at: what is committed later does not change what it gives.

    Attributes:
        snapshot: the one that is read; None where nothing was ever committed.
    """

    snapshot: Pinned | None
    _table: Table = field(repr=False)

    def rows(self, days: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Every listen of these days (YYYY-MM-DD), copies of an event included, some ten thousand rows at a time.

        Raises:
            LakeChanged: the snapshot's files were cleaned away meanwhile (look at the lake again and begin anew), or
                the table has delete files, which music-streams does not write.
        """
        try:
            yield from self._batches(_in_days(days))
        except FileNotFoundError as error:
            raise LakeChanged(
                f"files of a snapshot of {DATABASE}.{LISTENS} are gone: the lake was cleaned while it was read; "
                "read it again"
            ) from error

    def _batches(self, in_days: BooleanExpression) -> Iterator[pa.RecordBatch]:
        files = ["/".join(split_uri(uri)) for uri in self._plan(in_days)]
        if not files:
            return
        bucket, _ = split_uri(self._table.location())
        listens = pyarrow.dataset.dataset(
            files, schema=_COLUMNS, format="parquet", filesystem=self._table.io.fs_by_scheme("s3", bucket)
        )
        # One file after another, a little ahead of who reads: never a whole day at once. PyIceberg's own reader holds
        # the files that it reads whole, several at once.
        yield from listens.to_batches(
            filter=expression_to_pyarrow(bind(self._table.schema(), in_days, case_sensitive=True)),
            batch_size=_ROWS_AT_ONCE,
            batch_readahead=2,
            fragment_readahead=1,
        )

    def _plan(self, in_days: BooleanExpression) -> list[str]:
        """The data files that hold listens of these days, as S3 URIs."""
        tasks = list(self._table.scan(in_days).plan_files())
        if any(task.delete_files for task in tasks):
            raise LakeChanged(
                f"{DATABASE}.{LISTENS} has delete files, which music-streams does not write: who else writes to the "
                "lake? Rewrite its data files (CALL system.rewrite_data_files) and count again"
            )
        return [task.file.file_path for task in tasks]


@dataclass(frozen=True)
class LakeReader:
    """Reads the lake of a pipeline.

    Attributes:
        glue: a client of the catalog.
        file_system: PyIceberg's settings of S3 (https://py.iceberg.apache.org/configuration/#s3).
    """

    glue: GlueClient
    file_system: dict[str, str | None] = field(repr=False)

    @classmethod
    def of(cls, stack: Stack) -> LakeReader:
        """The reader of a stack's lake, with the endpoint and the credentials that its own clients have.

        Make it when it is used: credentials that end, as those of a role, are as old as the reader.
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
        """The table `listens` at its current snapshot; None where there is none yet, or its files are lost."""
        catalog = GlueCatalog("lake", self.glue, **self.file_system, **_FILES)
        try:
            table = catalog.load_table((DATABASE, LISTENS))
        except (NoSuchTableError, FileNotFoundError):  # the catalog may outlive the files
            return None
        current = table.current_snapshot()
        if current is None:
            return Listens(None, table)
        return Listens(Pinned(current.snapshot_id, current.sequence_number, str(table.metadata.table_uuid)), table)


def _in_days(days: Iterable[str]) -> BooleanExpression:
    """Ranges on the column itself: Iceberg knows by them which partitions to read."""
    return Or(AlwaysFalse(), AlwaysFalse(), *map(_in_range, clock.ranges_of(days)))  # it takes two at least


def _in_range(days: tuple[str, str]) -> BooleanExpression:
    begin, end = (f"{day}T00:00:00+00:00" for day in (days[0], clock.day_after(days[1])))
    return And(GreaterThanOrEqual("listened_at", begin), LessThan("listened_at", end))
