"""The judged rows of a run's streams files, on Spark; a file that Spark cannot read is found and left out."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError

from music_streams.state.run_files import Manifest, ManifestSource, RunFolder
from music_streams.state.sizing import input_bytes
from music_streams.transform.spark import inputs, listens, rows
from music_streams.transform.spark.partitions import gathered, spread

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession
    from types_boto3_s3 import S3Client

    from music_streams.transform.spark.reference_data import SongsAndUsers

log = logging.getLogger(__name__)

_COLUMNS = ["user_id", "track_id", "listen_time"]
_SOUND = ManifestSource("0" * 32, "streams", "sound.csv", _COLUMNS, "1970-01-01T00:00:00.000Z", 0)


class SparkBatch:
    """See :class:`ports.Batch`."""

    def __init__(
        self,
        spark: SparkSession,
        s3: S3Client,
        folder: RunFolder,
        manifest: Manifest,
        reference: SongsAndUsers,
        execution: str,
    ) -> None:
        self._spark = spark
        self._s3 = s3
        self._folder = folder
        self._manifest = manifest
        self._reference = reference
        self._execution = execution
        self._unreadable: set[str] = set()
        self._size = input_bytes(manifest)
        self._spread = ExitStack()
        self._spread.enter_context(spread(spark, self._size))
        self._rows = self._enriched()

    def counts(self) -> list[Row]:
        """All rows, counted."""
        try:
            return listens.counts(self._rows).collect()
        except Py4JJavaError:
            self._unreadable = self._search(self._manifest.streams)
            if not self._unreadable:
                raise
            for source_id in sorted(self._unreadable):
                log.warning("left out, because Spark cannot read it: %s", source_id, extra={"source_id": source_id})
        self._rows.unpersist()
        self._rows = self._enriched()
        return listens.counts(self._rows).collect()

    def unreadable(self) -> set[str]:
        """The sources whose files Spark cannot read."""
        return self._unreadable

    def has_reference(self) -> bool:
        """Whether there is a valid songs row at all."""
        return not self._reference.songs.isEmpty()

    def accepted(self, source_ids: list[str]) -> DataFrame:
        """The rows of `listens` that the sources bring."""
        return listens.accepted(self._rows, source_ids, self._execution, self._reference.version)

    def rejected(self, source_ids: list[str]) -> DataFrame:
        """The rows of `rejected_rows` that the sources bring."""
        return listens.rejected(self._rows, source_ids, self._execution)

    def close(self) -> None:
        """Free the rows."""
        self._rows.unpersist()
        self._spread.close()

    def _enriched(self) -> DataFrame:
        read = [source for source in self._manifest.streams if source.source_id not in self._unreadable]
        songs, users = (gathered(rows, self._size) for rows in (self._reference.songs, self._reference.users))
        return listens.enrich(self._judged(read), songs, users).transform(listens.lean).persist()

    def _judged(self, sources: list[ManifestSource]) -> DataFrame:
        manifest = Manifest(self._manifest.batch_id, sources)
        lines = gathered(inputs.lines(self._spark, self._folder, manifest), self._size)
        return rows.judge(lines, gathered(inputs.sources(self._spark, manifest), self._size))

    def _search(self, sources: list[ManifestSource]) -> set[str]:
        """Those among the sources that cannot be read, each by itself.

        Raises:
            Py4JJavaError: a sound file cannot be read either, so that no other is to blame.
        """
        try:
            self._read(sources)
        except Py4JJavaError:
            if len(sources) > 1:
                middle = len(sources) // 2
                return self._search(sources[:middle]) | self._search(sources[middle:])
            self._s3.put_object(
                Bucket=self._folder.bucket,
                Key=self._folder.key(f"input/{_SOUND.input}"),
                Body=",".join(_COLUMNS).encode(),
            )
            self._read([_SOUND])
            return {sources[0].source_id}
        return set()

    def _read(self, sources: list[ManifestSource]) -> None:
        self._judged(sources).write.format("noop").mode("overwrite").save()
