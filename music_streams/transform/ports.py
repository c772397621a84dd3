"""What the order of a run's steps (:mod:`job`) asks of Spark and of the lake, so that it can be run without either."""

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
    """How many rows of a source share a reason and a day: source_id, reason (None: accepted), day (or None), count."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - text or number, by name


class Batch(Protocol[Rows_co]):
    """The judged rows of the streams files that a manifest lists."""

    def counts(self) -> Iterable[Count]:
        """All rows, counted; those of unreadable files left out."""

    def unreadable(self) -> set[str]:
        """The sources whose files cannot be read, known once the rows are counted."""

    def has_reference(self) -> bool:
        """Whether there is a valid songs row at all."""

    def accepted(self, source_ids: list[str]) -> Rows_co:
        """The rows of `listens` that the sources bring."""

    def rejected(self, source_ids: list[str]) -> Rows_co:
        """The rows of `rejected_rows` that the sources bring."""

    def close(self) -> None:
        """The rows are not asked for again."""


@dataclass(frozen=True)
class RowsToDelete:
    """Which rows are to leave the lake.

    Attributes:
        execution: whose run it is.
        older: source_ids whose rows leave where other executions committed them.
        refused: source_ids whose rows leave whoever committed them.
        users: user_ids whose rows leave; a rejected row is theirs where its text holds the id as a field.
    """

    execution: str
    older: list[str]
    refused: list[str]
    users: list[int]

    def __bool__(self) -> bool:
        return bool(self.older or self.refused or self.users)


@dataclass(frozen=True)
class FoundRows:
    """The leaving rows that the lake holds now.

    Attributes:
        days: by source_id, the days of its listens among them; none where all are rejected rows.
        executions: who committed them. An execution's rows of a table come all at once: what is named here is known
            in full, and nothing that comes meanwhile is taken for it.
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
        """Commit rows at once; where the execution has committed already nothing happens.

        Args:
            table: which of the two.
            rows: all its columns.
            execution: whose run it is.
            few_days: whether the rows are known to be of so few days that a file of each can be open at once.
        """

    def find(self, to_delete: RowsToDelete) -> FoundRows:
        """What the tables hold of the leaving rows."""

    def write_tracks(self, to_delete: RowsToDelete, found: FoundRows, uri: str) -> None:
        """Write track_id and day of the listens that were found as Parquet."""

    def delete(self, to_delete: RowsToDelete, found: FoundRows) -> None:
        """Delete what was found from both tables, and no row that came since."""

    def expire(self) -> None:
        """Let all snapshots before the current one go, and every file that nothing refers to then."""

    def pin(self) -> Pinned:
        """The current snapshot.

        Raises:
            LakeChanged: there is none.
        """

    def write_metrics(self, pinned: Pinned, days: list[str], tracks: list[str] | None, uri: str) -> None:
        """Write the metrics of whole days as Parquet: rows of :func:`metrics.items`, by day over all files in order.

        Args:
            pinned: the snapshot to read.
            days: YYYY-MM-DD.
            tracks: where removed tracks were written: those that the days have lost get a row without metrics. None
                where TRACK items are not wanted.
            uri: the folder.
        """
