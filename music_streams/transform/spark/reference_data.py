"""The reference data of a run: parsed from CSV once, kept as Parquet, pinned for the run's repeats.

Of each key under ``reference/`` the newest version that validation accepted is in force, and none where the key was
deleted: what nobody has validated yet, or nobody can read, fails no run. What is in force has a fingerprint. The first
run that meets a fingerprint parses the files and keeps the result in the lake bucket under ``reference/``; the others
read that. Two runs that meet it together each write a folder of their own, and either serves.
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
from music_streams.validation.verdicts import head

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
        songs: as :func:`reference.songs` gives them.
        users: as :func:`reference.users` gives them.
        version: `reference_version`: epoch milliseconds of the newest reference object read; 0 where there is none.
    """

    songs: DataFrame
    users: DataFrame
    version: int


@dataclass(frozen=True)
class _Kept:
    """Where parsed reference data lies in the lake bucket: Parquet folders ``<place>/songs`` and ``<place>/users``."""

    place: str
    version: int


@dataclass(frozen=True)
class ReferenceData:
    """Reads reference data for one run.

    Attributes:
        landing_bucket: where the CSV files lie, every ``.csv`` under ``reference/songs/`` and ``reference/users/``.
        accepted: tells which of some source_ids validation has accepted.
        execution: a repeat of the same execution reads the same reference data, whatever has landed since.
        run_id: names this try's folder.
    """

    spark: SparkSession
    s3: S3Client
    landing_bucket: str
    accepted: Callable[[Iterable[str]], set[str]]
    folder: RunFolder
    execution: str
    run_id: str

    def read(self) -> SongsAndUsers:
        """The songs and users to enrich this run's rows with."""
        pin = self.folder.key(f"reference-{self.execution}.json")
        kept = self._recall(pin) or self._current()
        self._remember(pin, kept)
        return SongsAndUsers(
            self.spark.read.schema(reference.SONGS).parquet(self._uri(kept.place, "songs")),
            self.spark.read.schema(reference.USERS).parquet(self._uri(kept.place, "users")),
            kept.version,
        )

    def _current(self) -> _Kept:
        songs, users = self._in_force("reference/songs/"), self._in_force("reference/users/")
        listing = "\n".join(f"{each.source_id} {each.received_at}" for each in [*songs, *users])
        fingerprint = hashlib.sha256(listing.encode()).hexdigest()[:32]
        pointer = f"reference/{fingerprint}.json"
        kept = self._recall(pointer)
        if kept is None:
            modified = [int(clock.parse(each.received_at).timestamp() * 1000) for each in [*songs, *users]]
            kept = _Kept(f"reference/{fingerprint}/{self.run_id}", max(modified, default=0))
            self._parse(kept.place, songs, users)
            self._remember(pointer, kept)
        return kept

    def _in_force(self, prefix: str) -> list[Source]:
        """Of each key the newest accepted version, in the order of the keys; `received_at` is by S3's clock."""
        waiting = self._versions(prefix)
        in_force: dict[str, Source] = {}
        while waiting:
            newest = {key: versions.pop(0) for key, versions in waiting.items()}
            accepted = self.accepted(source.source_id for source in newest.values())
            in_force |= {key: source for key, source in newest.items() if source.source_id in accepted}
            waiting = {key: versions for key, versions in waiting.items() if versions and key not in in_force}
        return [in_force[key] for key in sorted(in_force)]

    def _versions(self, prefix: str) -> dict[str, list[Source]]:
        """The versions of each key that was not deleted, the newest first, as S3 lists them."""
        found: dict[str, list[Source]] = {}
        deleted: set[str] = set()
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.landing_bucket, Prefix=prefix)
        for page in pages:
            deleted |= {marker["Key"] for marker in page.get("DeleteMarkers", []) if marker["IsLatest"]}
            for each in page.get("Versions", []):
                if each["Key"].lower().endswith(".csv"):
                    received_at = clock.timestamp(each["LastModified"])
                    source = Source(self.landing_bucket, each["Key"], each["VersionId"], each["Size"], received_at)
                    found.setdefault(each["Key"], []).append(source)
        return {key: versions for key, versions in found.items() if key not in deleted}

    def _parse(self, place: str, songs: list[Source], users: list[Source]) -> None:
        song_rows = self._rows(self._stage("songs", songs), reference.SONG_COLUMNS)
        user_rows = self._rows(self._stage("users", users), reference.USER_COLUMNS)
        reference.songs(song_rows).write.mode("overwrite").parquet(self._uri(place, "songs"))
        reference.users(user_rows).write.mode("overwrite").parquet(self._uri(place, "users"))

    def _stage(self, kind: str, found: list[Source]) -> dict[tuple[str, ...], list[str]]:
        """Copy CSV files into the run's folder under names of our own; the copies' URIs by header.

        Spark sees neither names that begin with ``_`` or ``.`` nor such that hold ``[``, ``{``, ``*`` or ``?``, and
        tells gzip by the name where the contract tells it by the first bytes.
        """
        by_header: dict[tuple[str, ...], list[str]] = {}
        for number, each in enumerate(found):
            header, is_gzip = head(objects.chunks(self.s3, each))
            name = f"reference/{kind}/{number}.csv" + (".gz" if is_gzip else "")
            objects.copy(self.s3, each, self.folder.bucket, self.folder.key(name))
            by_header.setdefault(tuple(header), []).append(self.folder.uri(name))
        return by_header

    def _rows(self, by_header: dict[tuple[str, ...], list[str]], columns: tuple[str, ...]) -> DataFrame:
        """The wanted columns of CSV files as text, read by distinct header: Spark applies one header to all files."""
        result = self.spark.range(0).select(*(F.lit(None).cast("string").alias(name) for name in columns))
        for header, paths in by_header.items():
            # Only the wanted columns keep their names: others may differ in case alone, or hold any character.
            names = [name if name in columns and header.index(name) == i else f"_{i}" for i, name in enumerate(header)]
            # Fields may hold line breaks; quotes inside quotes are doubled, as RFC 4180 has it.
            reader = self.spark.read.schema(", ".join(f"{name} STRING" for name in names))
            reader = reader.options(header=True, multiLine=True, quote='"', escape='"', maxColumns=_MAX_COLUMNS)
            wanted = [F.col(name) if name in names else F.lit(None).cast("string").alias(name) for name in columns]
            result = result.unionByName(reader.csv(paths).select(*wanted))
        return result

    def _recall(self, key: str) -> _Kept | None:
        return find_json(self.s3, self.folder.bucket, key, lambda raw: _Kept(**raw), _WHAT_TO_DO)

    def _remember(self, key: str, kept: _Kept) -> None:
        write_json(self.s3, self.folder.bucket, key, asdict(kept), is_ascii=True)

    def _uri(self, place: str, kind: str) -> str:
        return f"s3://{self.folder.bucket}/{place}/{kind}"
