"""The product's results for files: validate's verdict, and the transform on Spark for valid files."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from music_streams.reference import csv_rows
from music_streams.reference.row_reasons import COLUMNS, classify
from music_streams.state.object_keys import kind_of
from music_streams.state.run_files import NOT_MALFORMED, Manifest, ManifestSource, RunFolder
from music_streams.transform import job
from music_streams.transform.spark import inputs, listens, reference, row_reasons
from music_streams.validation.file_verdicts import uncompressed, validate
from tests.differential.reading import DirtyFile, FileReading, Row, RowsReading
from tests.differential.strategies import KNOWN_TRACKS
from tests.integration.transform.directory_s3 import DirectoryS3

LAKE = "lake-of-differential"


def read_file(file: DirtyFile, chunk_bytes: int | None = None) -> FileReading:
    """Validate a file whose bytes arrive in chunks of the given size, or in one."""
    size = chunk_bytes or max(len(file.content), 1)
    chunks = (file.content[at : at + size] for at in range(0, len(file.content), size))
    validation = validate(file.key, chunks, file.max_bytes)
    return FileReading(validation.verdict and str(validation.verdict), tuple(validation.header), validation.is_gzip)


def read_reference_rows(file: DirtyFile, chunk_bytes: int) -> tuple[list[tuple[object, ...]], Counter[str]]:
    """Return the accepted rows of a valid songs or users file, sorted, and the number of the others by reason."""
    kind = kind_of(file.key)
    assert kind
    chunks = (file.content[at : at + chunk_bytes] for at in range(0, len(file.content), chunk_bytes))
    accepted: list[tuple[object, ...]] = []
    rejected: Counter[str] = Counter()
    for rows in csv_rows.read_rows(uncompressed(chunks), COLUMNS[kind]):
        classified = classify(kind, rows.table)
        accepted.extend(tuple(row.values()) for row in classified.accepted.to_pylist())
        rejected.update(classified.rejected)
        rejected["malformed_row"] += rows.malformed
    return sorted(accepted, key=repr), +rejected


class Transform:
    """The Spark path of the transform, up to what it would commit and count."""

    def __init__(self, spark: SparkSession, s3: DirectoryS3) -> None:
        s3.mount(spark, LAKE)
        self._spark = spark
        self._s3 = s3
        self._batches = 0
        songs = [(track, "name", "artists", 1000, ["pop"]) for track in KNOWN_TRACKS]
        self._songs = spark.createDataFrame(songs, reference.SONGS)
        self._users = spark.createDataFrame([(7, "DE")], reference.USERS)

    def read_rows(self, files: Sequence[DirtyFile]) -> list[RowsReading]:
        """Return the result of each of some valid files, computed in one Spark job."""
        self._batches += 1
        folder = RunFolder(LAKE, f"batch{self._batches}")
        listed = [self._stage(folder, f"{number:032x}", file) for number, file in enumerate(files)]
        manifest = Manifest(folder.batch_id, listed)
        classified = row_reasons.classify(
            inputs.lines(self._spark, folder, manifest), inputs.sources(self._spark, manifest)
        )
        enriched = listens.enrich(classified, self._songs, self._users).persist()
        # Instants as numbers: Python's calendar ends before Spark's.
        columns = ("source_id", "raw", "reason", "user_id", "track_id", F.unix_micros("listened_at").alias("instant"))
        collected = enriched.orderBy("source_id", "position").select(*columns).collect()
        counts = listens.counts(enriched).collect()
        enriched.unpersist()

        rows_of: dict[str, list[Row]] = {source.source_id: [] for source in listed}
        for row in collected:
            has_event = row["reason"] is None or row["reason"] in NOT_MALFORMED
            event = (row["user_id"], row["track_id"], row["instant"]) if has_event else None
            rows_of[row["source_id"]].append(Row(row["raw"], row["reason"], event))
        readings = []
        for source, file in zip(listed, files, strict=True):
            rows = [row for row in counts if row["source_id"] == source.source_id]
            task = job.RunSettings(folder, "b-1", "jr_1", "landing", Decimal(file.max_rejected_ratio), 100_000, False)
            outcome = job._outcomes(rows, Manifest("b", [source]), task)[source.source_id]
            counted: Counter[tuple[str | None, str | None]] = Counter()
            for row in rows:
                counted[row["reason"], row["day"]] += row["count"]
            readings.append(
                RowsReading(
                    tuple(rows_of[source.source_id]),
                    dict(counted),
                    outcome.verdict,
                    outcome.rows_read,
                    outcome.rows_accepted,
                )
            )
        return readings

    def _stage(self, folder: RunFolder, source_id: str, file: DirtyFile) -> ManifestSource:
        validation = validate(file.key, [file.content], file.max_bytes)
        name = source_id + (".csv.gz" if validation.is_gzip else ".csv")
        self._s3.put_object(Bucket=folder.bucket, Key=folder.key(f"input/{name}"), Body=file.content)
        return ManifestSource(source_id, "streams", name, validation.header, file.arrival, len(file.content))
