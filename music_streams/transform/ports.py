"""The interfaces through which :mod:`job` uses Spark and the lake, so that it can run without either."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

DATABASE = "music_streams"
LISTENS = "listens"
REJECTED_ROWS = "rejected_rows"

RowsT = TypeVar("RowsT")
Rows_co = TypeVar("Rows_co", covariant=True)
Rows_contra = TypeVar("Rows_contra", contravariant=True)


class Count(Protocol):
    """The number of rows of a source by reason and day: source_id, reason (None: accepted), day (or None), count."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - text or number, by name


class Batch(Protocol[Rows_co]):
    """The classified rows of the streams files that a manifest lists."""

    def counts(self) -> Iterable[Count]:
        """Count all rows except those of files that Spark cannot parse."""

    def unparsable(self) -> set[str]:
        """Return the sources whose files Spark cannot parse, known after :meth:`counts`."""

    def accepted(self, source_ids: list[str]) -> Rows_co:
        """Return the rows of `listens` that the sources contain."""

    def rejected(self, source_ids: list[str]) -> Rows_co:
        """Return the rows of `rejected_rows` that the sources contain."""

    def close(self) -> None:
        """Free the rows."""


@dataclass(frozen=True)
class RowsToDelete:
    """The rows to delete from the lake.

    Attributes:
        execution: the execution that deletes them.
        older: source_ids whose rows are deleted if another execution committed them.
        quarantined: source_ids whose rows are all deleted.
        users: user_ids whose rows are deleted; a rejected row is theirs if its text contains the id as a field.
    """

    execution: str
    older: list[str]
    quarantined: list[str]
    users: list[int]

    def __bool__(self) -> bool:
        return bool(self.older or self.quarantined or self.users)


@dataclass(frozen=True)
class FoundRows:
    """The rows to delete that the lake has now.

    Attributes:
        days: by source_id, the days of its listens among them; none if all are rejected rows.
        executions: the executions that committed them. An execution commits its rows of a table in one snapshot: all
            its rows were found, and no row that another run adds later is mistaken for one of them.
    """

    days: dict[str, set[str]] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.executions)


@dataclass(frozen=True)
class Pinned:
    """The snapshot of `listens` that a run reads; its sequence number is the run's version."""

    snapshot_id: int
    version: int
    uuid: str


class Lake(Protocol[Rows_contra]):
    """The lake's two tables."""

    def append(self, table: str, rows: Rows_contra, execution: str, *, few_days: bool) -> None:
        """Commit rows in one snapshot, unless the execution has committed already.

        Args:
            table: one of the two tables.
            rows: with all columns of the table.
            execution: the execution that commits them.
            few_days: whether the rows are of so few days that a Spark task can keep one file per day open.
        """

    def find(self, to_delete: RowsToDelete) -> FoundRows:
        """Find the rows to delete in both tables."""

    def write_tracks(self, to_delete: RowsToDelete, found: FoundRows, uri: str) -> None:
        """Write track_id and day of the found listens as Parquet."""

    def delete(self, to_delete: RowsToDelete, found: FoundRows) -> None:
        """Delete the found rows from both tables, and no row that was added since."""

    def expire(self) -> None:
        """Expire all snapshots before the current one, and delete the files that nothing refers to then.

        Files of the last day stay, because a run may be about to commit them.
        """

    def pin(self) -> Pinned:
        """Return the current snapshot of `listens`.

        Raises:
            LakeChanged: there is none.
        """

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        """Write the metrics of whole days as Parquet: rows of :func:`metrics.items`, by day over all files in order.

        Args:
            pinned: the snapshot to read.
            days: YYYY-MM-DD.
            tracks: URIs of the removed tracks: one without listens on its day gets a row without metrics. None if TRACK
                items are not published.
            uri: the folder.
        """
