"""The classified rows of a run's streams files, on Spark, without the files that Spark cannot read."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError

from music_streams.state.run_files import Manifest, ManifestSource, RunFolder
from music_streams.state.sizing import input_bytes
from music_streams.transform.spark import inputs, listens, row_reasons
from music_streams.transform.spark.partitions import gathered, spread

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession
    from types_boto3_s3 import S3Client

    from music_streams.transform.spark.reference_data import SongsAndUsers

log = logging.getLogger(__name__)

_COLUMNS = ["user_id", "track_id", "listen_time"]
_READABLE = ManifestSource("0" * 32, "streams", "readable.csv", _COLUMNS, "1970-01-01T00:00:00.000Z", 0)


@dataclass
class SparkBatch:
    """See :class:`ports.Batch`."""

    spark: SparkSession
    s3: S3Client
    folder: RunFolder
    manifest: Manifest
    reference: SongsAndUsers
    execution: str

    def __post_init__(self) -> None:
        self._unparsable: set[str] = set()
        self._size = input_bytes(self.manifest)
        self._spread = ExitStack()
        self._spread.enter_context(spread(self.spark, self._size))
        self._rows = self._enriched()

    def counts(self) -> list[Row]:
        """Count all rows except those of files that Spark cannot parse."""
        try:
            return listens.counts(self._rows).collect()
        except Py4JJavaError:
            self._unparsable = self._search(self.manifest.streams)
            if not self._unparsable:
                raise
            for source_id in sorted(self._unparsable):
                log.warning("quarantined, because Spark cannot read it: %s", source_id, extra={"source_id": source_id})
        self._rows.unpersist()
        self._rows = self._enriched()
        return listens.counts(self._rows).collect()

    def unparsable(self) -> set[str]:
        """Return the sources whose files Spark cannot read."""
        return self._unparsable

    def accepted(self, source_ids: list[str]) -> DataFrame:
        """Return the rows of `listens` that the sources contain."""
        return listens.accepted(self._rows, source_ids, self.execution, self.reference.version)

    def rejected(self, source_ids: list[str]) -> DataFrame:
        """Return the rows of `rejected_rows` that the sources contain."""
        return listens.rejected(self._rows, source_ids, self.execution)

    def close(self) -> None:
        """Free the rows."""
        self._rows.unpersist()
        self._spread.close()

    def _enriched(self) -> DataFrame:
        read = [source for source in self.manifest.streams if source.source_id not in self._unparsable]
        songs, users = (gathered(rows, self._size) for rows in (self.reference.songs, self.reference.users))
        return listens.enrich(self._classified(read), songs, users).transform(listens.drop_unused_columns).persist()

    def _classified(self, sources: list[ManifestSource]) -> DataFrame:
        manifest = Manifest(self.manifest.batch_id, sources)
        lines = gathered(inputs.lines(self.spark, self.folder, manifest), self._size)
        return row_reasons.classify(lines, gathered(inputs.sources(self.spark, manifest), self._size))

    def _search(self, sources: list[ManifestSource]) -> set[str]:
        """Return the sources that Spark cannot read, found by bisection.

        Raises:
            Py4JJavaError: Spark cannot read a valid file either, so the fault is not in the sources.
        """
        try:
            self._read(sources)
        except Py4JJavaError:
            if len(sources) > 1:
                middle = len(sources) // 2
                return self._search(sources[:middle]) | self._search(sources[middle:])
            key, header = self.folder.key(f"input/{_READABLE.input}"), ",".join(_COLUMNS).encode()
            self.s3.put_object(Bucket=self.folder.bucket, Key=key, Body=header)
            self._read([_READABLE])
            return {sources[0].source_id}
        return set()

    def _read(self, sources: list[ManifestSource]) -> None:
        self._classified(sources).write.format("noop").mode("overwrite").save()
