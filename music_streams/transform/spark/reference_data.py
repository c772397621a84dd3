"""The reference data of a run: parsed from CSV once, cached as Parquet, pinned for retries of the run.

Of each key under ``reference/`` the newest version that validation accepted is in use, and none if the key was deleted:
a file that is not validated yet, or not readable, fails no run. The versions in use have a fingerprint. The first run
with a fingerprint parses the files and caches the result in the lake bucket under ``reference/``, which later runs
read. If two runs parse the same files at the same time, each writes its own folder, and either is valid.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from music_streams import clock
from music_streams.aws import objects
from music_streams.aws.json_objects import find_json, write_json
from music_streams.state.sources import Source
from music_streams.transform.spark import reference
from music_streams.validation.file_verdicts import read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark.sql import DataFrame, SparkSession
    from types_boto3_s3 import S3Client

    from music_streams.state.run_files import RunFolder

_WHAT_TO_DO = "delete it: the next run parses the reference files again"
_MAX_COLUMNS = 1_000_000  # a record of more stops the parser; a line of 64 KiB has 65,536 at most


@dataclass(frozen=True)
class SongsAndUsers:
    """The reference data of a run.

    Attributes:
        songs: as :func:`reference.songs` returns them.
        users: as :func:`reference.users` returns them.
        version: `reference_version`: epoch milliseconds of the newest reference object read; 0 if there is none.
    """

    songs: DataFrame
    users: DataFrame
    version: int


@dataclass(frozen=True)
class _Kept:
    """The location of parsed reference data in the lake bucket: Parquet in ``<place>/songs`` and ``<place>/users``."""

    place: str
    version: int


@dataclass(frozen=True)
class ReferenceData:
    """Reads reference data for one run.

    Attributes:
        landing_bucket: the bucket of the CSV files: every ``.csv`` under ``reference/songs/`` and ``reference/users/``.
        accepted: returns those of some source_ids that validation has accepted.
        execution: retries of the same execution read the same reference data, whatever was uploaded since.
        job_run_id: the Glue job run's id: names the folder that it writes.
    """

    spark: SparkSession
    s3: S3Client
    landing_bucket: str
    accepted: Callable[[Iterable[str]], set[str]]
    folder: RunFolder
    execution: str
    job_run_id: str

    def read(self) -> SongsAndUsers:
        """Return the songs and users with which this run enriches its rows."""
        pin = self.folder.key(f"reference-{self.execution}.json")
        kept = self._read_pointer(pin) or self._current()
        self._write_pointer(pin, kept)
        return SongsAndUsers(
            self.spark.read.schema(reference.SONGS).parquet(self._uri(kept.place, "songs")),
            self.spark.read.schema(reference.USERS).parquet(self._uri(kept.place, "users")),
            kept.version,
        )

    def _current(self) -> _Kept:
        songs, users = self._in_use("reference/songs/"), self._in_use("reference/users/")
        listing = "\n".join(f"{source.source_id} {source.received_at}" for source in [*songs, *users])
        fingerprint = hashlib.sha256(listing.encode()).hexdigest()[:32]
        pointer = f"reference/{fingerprint}.json"
        kept = self._read_pointer(pointer)
        if kept is None:
            modified = [int(clock.parse(source.received_at).timestamp() * 1000) for source in [*songs, *users]]
            kept = _Kept(f"reference/{fingerprint}/{self.job_run_id}", max(modified, default=0))
            self._parse(kept.place, songs, users)
            self._write_pointer(pointer, kept)
        return kept

    def _in_use(self, prefix: str) -> list[Source]:
        """Return the newest accepted version of each key, by key; `received_at` is S3's LastModified."""
        unchecked = self._versions(prefix)
        in_use: dict[str, Source] = {}
        while unchecked:
            newest = {key: versions.pop(0) for key, versions in unchecked.items()}
            accepted = self.accepted(source.source_id for source in newest.values())
            in_use |= {key: source for key, source in newest.items() if source.source_id in accepted}
            unchecked = {key: versions for key, versions in unchecked.items() if versions and key not in in_use}
        return [in_use[key] for key in sorted(in_use)]

    def _versions(self, prefix: str) -> dict[str, list[Source]]:
        """Return the versions of each key that was not deleted, newest first, as S3 lists them."""
        by_key: dict[str, list[Source]] = {}
        deleted: set[str] = set()
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.landing_bucket, Prefix=prefix)
        for page in pages:
            deleted |= {marker["Key"] for marker in page.get("DeleteMarkers", []) if marker["IsLatest"]}
            for item in page.get("Versions", []):
                if item["Key"].lower().endswith(".csv"):
                    received_at = clock.timestamp(item["LastModified"])
                    source = Source(self.landing_bucket, item["Key"], item["VersionId"], item["Size"], received_at)
                    by_key.setdefault(item["Key"], []).append(source)
        return {key: versions for key, versions in by_key.items() if key not in deleted}

    def _parse(self, place: str, songs: list[Source], users: list[Source]) -> None:
        song_rows = self._rows(self._stage("songs", songs), reference.SONG_COLUMNS)
        user_rows = self._rows(self._stage("users", users), reference.USER_COLUMNS)
        reference.songs(song_rows).write.mode("overwrite").parquet(self._uri(place, "songs"))
        reference.users(user_rows).write.mode("overwrite").parquet(self._uri(place, "users"))

    def _stage(self, kind: str, sources: list[Source]) -> dict[tuple[str, ...], list[str]]:
        """Copy CSV files to the run's folder under generated names; return the copies' URIs by header.

        Spark ignores names that begin with ``_`` or ``.``, expands ``[``, ``{``, ``*`` and ``?``, and detects gzip by
        the name, where the contract detects it by the first bytes.
        """
        by_header: dict[tuple[str, ...], list[str]] = {}
        for number, source in enumerate(sources):
            header, is_gzip = read_header(objects.read_chunks(self.s3, source))
            name = f"reference/{kind}/{number}.csv" + (".gz" if is_gzip else "")
            objects.copy(self.s3, source, self.folder.bucket, self.folder.key(name))
            by_header.setdefault(tuple(header), []).append(self.folder.uri(name))
        return by_header

    def _rows(self, by_header: dict[tuple[str, ...], list[str]], columns: tuple[str, ...]) -> DataFrame:
        """Read columns of CSV files as text, once for each distinct header: Spark applies one header to all files."""
        result = self.spark.range(0).select(*(F.lit(None).cast("string").alias(name) for name in columns))
        for header, paths in by_header.items():
            # Only the requested columns keep their names: others may differ only in case, or contain any character.
            names = [name if name in columns and header.index(name) == i else f"_{i}" for i, name in enumerate(header)]
            # Fields may contain line breaks; quotes inside quotes are doubled, as in RFC 4180.
            reader = self.spark.read.schema(", ".join(f"{name} STRING" for name in names))
            reader = reader.options(header=True, multiLine=True, quote='"', escape='"', maxColumns=_MAX_COLUMNS)
            selected = [F.col(name) if name in names else F.lit(None).cast("string").alias(name) for name in columns]
            result = result.unionByName(reader.csv(paths).select(*selected))
        return result

    def _read_pointer(self, key: str) -> _Kept | None:
        return find_json(self.s3, self.folder.bucket, key, lambda raw: _Kept(**raw), _WHAT_TO_DO)

    def _write_pointer(self, key: str, kept: _Kept) -> None:
        write_json(self.s3, self.folder.bucket, key, asdict(kept), is_ascii=True)

    def _uri(self, place: str, kind: str) -> str:
        return f"s3://{self.folder.bucket}/{place}/{kind}"
