"""PARKED files: the songs files in force contain tracks of their parked rows, so that a replay counts these rows.

The ledger has the songs versions that the last run of a file read, so a file is replayed once for the same versions.
The header of a file is not stored with its rejected rows: any 22 letters and digits in a row may be the track.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from music_streams.aws import objects
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.reconcile.database import temporary_database
from music_streams.reconcile.files import finding
from music_streams.reconcile.findings import FileFinding, State
from music_streams.reconcile.lake import UNKNOWN_TRACK, LakeReader, RejectedRows
from music_streams.reconcile.stalled import request_message
from music_streams.reference.in_force import ReferenceFiles
from music_streams.reference.parsed import ParsedFile, ParsedFiles
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.requests import Action
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from types_boto3_s3 import S3Client

    from music_streams.reconcile.reports import Report

# A longer run of letters and digits is extracted too, as a whole: it equals no track.
_TEXTS = "source_id, regexp_extract_all(raw, '[0-9A-Za-z]{22,}')"
_COUNTS = """
SELECT source_id, count(DISTINCT number)
FROM (SELECT rowid AS number, source_id, unnest(texts) AS text FROM parked)
WHERE text IN (SELECT track_id FROM read_parquet($songs))
GROUP BY source_id
"""


@dataclass(frozen=True)
class ParkedFiles:
    """The PARKED files; `songs_digest` identifies the songs versions in force, '' if there are none."""

    songs_digest: str = ""
    files: list[FileFinding] = field(default_factory=list)


@dataclass(frozen=True)
class ParkedFinder:
    """Finds PARKED files."""

    s3: S3Client
    ledger: Ledger
    lake: LakeReader
    landing_bucket: str
    lake_bucket: str
    max_rejected_ratio: Decimal

    def find(self, entries: Iterable[Entry], last: Report | None, prefix: str) -> ParkedFiles:
        """Find PARKED files of any date if the songs changed since the last report, and among `entries` in any case.

        Args:
            entries: of the inspected files.
            last: the last report; a file that it lists may have ended since, with the songs of before.
            prefix: of the files' keys.
        """
        parsed = ParsedFiles(self.s3, self.lake_bucket).find
        in_force = ReferenceFiles(
            self.s3, self.landing_bucket, self.ledger.entries, parsed, self.max_rejected_ratio
        ).in_force()
        rows = self.lake.rejected_rows() if in_force.songs else None
        if rows is None:
            return ParkedFiles()
        digest = in_force.songs_digest
        inspected = {entry.source.source_id for entry in entries if _may_be_parked(entry, digest)}
        candidates = {
            source_id: entry
            for source_id, entry in self.ledger.entries(inspected | _others(rows, last, digest)).items()
            if _may_be_parked(entry, digest) and entry.source.key.startswith(prefix)
        }
        counts = self._counts(rows, candidates, in_force.songs) if candidates else {}
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:  # A copy that expired cannot be replayed.
            are_readable = pool.map(lambda name: objects.is_readable(self.s3, candidates[name].place), counts)
            found = [name for name, is_readable in zip(counts, are_readable, strict=True) if is_readable]
        return ParkedFiles(digest, [_finding(candidates[name], counts[name]) for name in found])

    def _counts(self, rows: RejectedRows, candidates: dict[str, Entry], songs: list[ParsedFile]) -> dict[str, int]:
        """Return the number of parked rows with a track of the songs by source_id; sources without any are left out."""
        days = {entry.source.received_at[:10] for entry in candidates.values()}
        with TemporaryDirectory(prefix="songs-") as folder, temporary_database() as database:
            for file in songs:
                self.s3.download_file(self.lake_bucket, file.key, f"{folder}/{file.source.source_id}.parquet")
            database.execute("CREATE TABLE parked (source_id VARCHAR, texts VARCHAR[])")
            database.begin()  # One transaction for all batches: each commit would wait for the disk.
            for batch in rows.parked(candidates, days):
                database.from_arrow(batch).project(_TEXTS).insert_into("parked")
            database.commit()
            return dict(database.execute(_COUNTS, {"songs": f"{folder}/*.parquet"}).fetchall())


def _others(rows: RejectedRows, last: Report | None, songs_digest: str) -> set[str]:
    """Return the source_ids of files that were not inspected and may be PARKED."""
    if last is None or last.songs_digest != songs_digest:
        return rows.parked_sources()
    return {file.source_id for file in last.findings.files if file.status}


def _may_be_parked(entry: Entry, songs_digest: str) -> bool:
    """Whether a file has parked rows, and its last run did not read these songs versions."""
    is_archived = entry.status is Status.ARCHIVED and not entry.is_retracted
    return is_archived and entry.rejected.get(UNKNOWN_TRACK, 0) > 0 and entry.songs_digest != songs_digest


def _finding(entry: Entry, count: int) -> FileFinding:
    why = f"parked rows whose track is in a songs file now: {count:,}"
    return finding(entry, State.PARKED, why, request_message(entry, Action.REPLAY), entry.attempt + 1)
