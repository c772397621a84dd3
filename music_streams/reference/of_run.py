"""The reference data of a run: the outcomes of its reference files, and the data that enriches its rows.

The versions in force are merged to one row a track and one row a user. The first run that reads a set of versions
merges them; later runs read the result. A run pins what it reads, so that its retries read the same, whatever was
uploaded since.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from music_streams import clock, policy, strict
from music_streams.aws.json_objects import find_sound_json, write_json
from music_streams.errors import ObjectGone, UnparsableReference, Unreadable
from music_streams.reference.in_force import Entries, ReferenceFiles, VersionsInForce
from music_streams.reference.parsed import ParsedFiles
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE
from music_streams.state.run_files import (
    Manifest,
    PinnedReference,
    RunFolder,
    SourceOutcome,
    find_pinned_reference,
    pin_reference,
    reference_place,
)
from music_streams.state.sources import Source, Treatment

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

Merge = Callable[[VersionsInForce, str], None]
"""Writes the merged data of versions as Parquet to a folder in the lake bucket, in ``songs`` and ``users``."""
_FOLDER = "reference/merged"
_FRESH_SECONDS = policy.PARSED_REFERENCE_FRESH_DAYS * 24 * 60 * 60
_WHAT_TO_DO = "delete it: the next run reads the reference files again"


@dataclass(frozen=True)
class ReferenceResult:
    """What a run knows of reference data.

    Attributes:
        outcomes: of the reference files in its manifest, by source_id.
        pinned: what it reads; None if it has neither streams nor reference files to read.
    """

    outcomes: dict[str, SourceOutcome] = field(default_factory=dict)
    pinned: PinnedReference | None = None


@dataclass(frozen=True)
class _Merged:
    """The location of merged data."""

    place: str
    made_at: str

    @property
    def is_fresh(self) -> bool:
        """Whether it will not expire while a run reads it."""
        now = clock.now()
        return clock.seconds_before(now, _FRESH_SECONDS) < self.made_at <= now

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "_Merged":
        return cls(reference_place(raw["place"]), strict.timestamp(raw["made_at"]))


@dataclass(frozen=True)
class ReferenceOfRun:
    """Reads reference data for one run.

    Attributes:
        landing_bucket: the bucket of the reference files.
        entries: returns the ledger entries of some source_ids.
        job_run_id: the Glue job run's id: names the folder that it writes.
    """

    s3: "S3Client"
    landing_bucket: str
    entries: Entries
    max_rejected_ratio: Decimal
    folder: RunFolder
    execution: str
    job_run_id: str

    @property
    def files(self) -> ReferenceFiles:
        """The reference files, each parsed when it is needed."""
        read = self._parsed.read
        return ReferenceFiles(self.s3, self.landing_bucket, self.entries, read, self.max_rejected_ratio)

    @property
    def _parsed(self) -> ParsedFiles:
        return ParsedFiles(self.s3, self.folder.bucket)

    def read(self, manifest: Manifest, merge: Merge) -> ReferenceResult:
        """Parse the manifest's reference files, and choose the data that the execution's job runs read.

        A batch of reference files alone merges them now, ready for the next streams files.
        """
        outcomes = self._outcomes(manifest)
        return ReferenceResult(outcomes, self._pinned(merge) if manifest.streams or outcomes else None)

    def _outcomes(self, manifest: Manifest) -> dict[str, SourceOutcome]:
        entries = self.entries(source.source_id for source in manifest.reference)
        return {
            source.source_id: self._outcome(entries[source.source_id].source, source.treatment)
            for source in manifest.reference
        }

    def _outcome(self, source: Source, treatment: str) -> SourceOutcome:
        try:
            parsed = self._parsed.read(source)
        except UnparsableReference:
            log.exception("quarantined: %s", source.uri, extra={"source_id": source.source_id})
            return SourceOutcome.without_rows(verdict="not_csv")
        except (ObjectGone, Unreadable) as error:
            log.warning("%s", error, extra={"source_id": source.source_id})
            reason = OBJECT_GONE if isinstance(error, ObjectGone) else UNREADABLE
            return SourceOutcome.without_rows(failure=reason)
        log.info("%s: %s rows read, %s accepted", source.uri, parsed.rows_read, parsed.rows_accepted)
        is_refused = treatment != Treatment.ACCEPT_BAD_ROWS and parsed.has_too_many_bad_rows(self.max_rejected_ratio)
        rows_accepted, verdict = (0, "too_many_bad_rows") if is_refused else (parsed.rows_accepted, None)
        return SourceOutcome(parsed.rows_read, rows_accepted, dict(parsed.rejected), [], verdict)

    def _pinned(self, merge: Merge) -> PinnedReference:
        """Return the reference data of this execution; the first of its job runs chooses them."""
        return find_pinned_reference(self.s3, self.folder, self.execution) or pin_reference(
            self.s3, self.folder, self.execution, self._chosen(merge)
        )

    def _chosen(self, merge: Merge) -> PinnedReference:
        in_force = self.files.in_force()
        return PinnedReference(
            self._merged(in_force, merge),
            in_force.version,
            in_force.songs_digest,
            sum(file.rows_accepted for file in in_force.songs),
            in_force.found_songs,
            in_force.left_out,
        )

    def _merged(self, in_force: VersionsInForce, merge: Merge) -> str:
        """Return the folder of the merged data. Two runs that merge the same versions write a folder each."""
        pointer = f"{_FOLDER}/{in_force.digest}.json"
        merged = find_sound_json(self.s3, self.folder.bucket, pointer, _Merged.from_json, _WHAT_TO_DO)
        if merged is None or not merged.is_fresh:
            merged = _Merged(f"{_FOLDER}/{in_force.digest}/{self.job_run_id}", clock.now())
            merge(in_force, merged.place)
            write_json(self.s3, self.folder.bucket, pointer, asdict(merged))
        return merged.place
