"""Merges and reads reference data on Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams.transform.spark import reference

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from music_streams.reference.in_force import VersionsInForce
    from music_streams.reference.parsed import ParsedFile
    from music_streams.state.run_files import PinnedReference


@dataclass(frozen=True)
class SongsAndUsers:
    """The reference data of a run.

    Attributes:
        songs: as :func:`reference.songs` returns them.
        users: as :func:`reference.users` returns them.
        version: `reference_version`.
    """

    songs: DataFrame
    users: DataFrame
    version: int


@dataclass(frozen=True)
class MergedReference:
    """The merged reference data in a lake bucket."""

    spark: SparkSession
    lake_bucket: str

    def write(self, in_force: VersionsInForce, place: str) -> None:
        """Merge the parsed files of versions, and write the result to a folder."""
        songs = reference.songs(self._rows(in_force.songs, reference.SONG_ROWS))
        users = reference.users(self._rows(in_force.users, reference.USER_ROWS))
        songs.write.mode("overwrite").parquet(self._uri(f"{place}/songs"))
        users.write.mode("overwrite").parquet(self._uri(f"{place}/users"))

    def read(self, pinned: PinnedReference) -> SongsAndUsers:
        """Return what :meth:`write` wrote."""
        return SongsAndUsers(
            self.spark.read.schema(reference.SONGS).parquet(self._uri(f"{pinned.place}/songs")),
            self.spark.read.schema(reference.USERS).parquet(self._uri(f"{pinned.place}/users")),
            pinned.version,
        )

    def _rows(self, files: list[ParsedFile], schema: str) -> DataFrame:
        if not files:
            return self.spark.createDataFrame([], schema)
        return self.spark.read.schema(schema).parquet(*(self._uri(file.key) for file in files))

    def _uri(self, key: str) -> str:
        return f"s3://{self.lake_bucket}/{key}"
