"""A run's folder in the lake bucket: ``runs/<batch_id>/`` with manifest.json, input/, metrics/ and summary.json.

The manifest lists what to process, ``claimed-<execution>.json`` the part of it that an execution has claimed,
``metrics/<job_run_id>/summary.json`` the results of one job run of the transform, and summary.json what was published.
All are JSON; reading a damaged one raises DamagedObject.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from music_streams import strict
from music_streams.aws.clients import error_code, split_uri
from music_streams.aws.json_objects import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from types_boto3_s3 import S3Client

T = TypeVar("T")

_WHAT_TO_DO = "restore it as the pipeline wrote it, or delete it and let its files run again: music-streams redrive"
NOT_MALFORMED = frozenset({"duplicate", "unknown_track", "missing_country"})
"""The reasons of rejected rows that do not count toward MaxRejectedRatio."""
_PLACE = re.compile(r"reference(/[0-9A-Za-z_-]+)+")
_UNREAD = {"retract", "put_aside"}  # values of sources.Treatment


@dataclass(frozen=True)
class RunFolder:
    """The folder of a batch in the lake bucket."""

    bucket: str
    batch_id: str

    @classmethod
    def of_manifest(cls, uri: str) -> RunFolder:
        """Return the folder of the manifest at `uri`."""
        bucket, key = split_uri(uri)
        _, batch_id, _ = key.rsplit("/", 2)
        return cls(bucket, batch_id)

    def key(self, name: str) -> str:
        """Return the key of a file or folder of the run."""
        return f"runs/{self.batch_id}/{name}"

    def uri(self, name: str) -> str:
        """Return the S3 URI of a file or folder of the run."""
        return f"s3://{self.bucket}/{self.key(name)}"

    @property
    def manifest_uri(self) -> str:
        """The URI of the manifest, which is the only input of an execution."""
        return self.uri("manifest.json")


@dataclass(frozen=True)
class ManifestSource:
    """A staged source.

    Attributes:
        kind: the kind of file. Reference files are listed, but not staged: a run reads all at their landing keys.
        input: the staged object's name under ``input/``: ``<source_id>.csv``, or ``.csv.gz`` if it is gzip.
        header: the column names of its header row, in order.
        received_at: the timestamp of its arrival, with which ``future_listen_time`` is decided.
        size: bytes as stored.
        treatment: a value of sources.Treatment.
    """

    source_id: str
    kind: str
    input: str
    header: list[str]
    received_at: str
    size: int
    treatment: str = ""


@dataclass(frozen=True)
class Manifest:
    """The work of one run.

    Attributes:
        sources: sorted by source_id, so that equal batches give equal bytes.
        days: days to recompute in addition to those of the sources.
        forget: user_ids whose rows are erased from the lake, and whose lines are erased from the files.
    """

    batch_id: str
    sources: list[ManifestSource]
    days: list[str] = field(default_factory=list)
    forget: list[int] = field(default_factory=list)

    @property
    def source_ids(self) -> list[str]:
        """The ids of the sources, in order."""
        return [source.source_id for source in self.sources]

    @property
    def streams(self) -> list[ManifestSource]:
        """The sources whose staged files the transform reads."""
        return [source for source in self.sources if source.kind == "streams" and source.treatment not in _UNREAD]

    @property
    def with_listens(self) -> list[ManifestSource]:
        """The sources of which the lake may have rows."""
        return [source for source in self.sources if source.kind == "streams"]

    @property
    def reference(self) -> list[ManifestSource]:
        """The reference files that the transform parses."""
        return [source for source in self.sources if source.kind != "streams" and source.treatment not in _UNREAD]

    @property
    def retracted(self) -> list[ManifestSource]:
        """The sources whose rows are removed from the lake."""
        return [source for source in self.sources if source.treatment == "retract"]

    @property
    def quarantined(self) -> list[ManifestSource]:
        """The sources to quarantine without reading them."""
        return [source for source in self.sources if source.treatment == "put_aside"]

    def only(self, source_ids: set[str]) -> Manifest:
        """Return the manifest with only the sources in `source_ids`."""
        return replace(self, sources=[source for source in self.sources if source.source_id in source_ids])


@dataclass(frozen=True)
class SourceOutcome:
    """The transform's result for one source: rows_read = rows_accepted + the sum of `rejected`.

    Attributes:
        days: the days of its accepted rows; none of a reference file.
        verdict: why it is quarantined, such as ``too_many_bad_rows``, or ``not_csv`` if it could not be parsed.
        failure: why it is FAILED, while the run goes on without it: ``object_gone`` or ``unreadable``.
    """

    rows_read: int
    rows_accepted: int
    rejected: dict[str, int]
    days: list[str]
    verdict: str | None = None
    failure: str | None = None

    @classmethod
    def without_rows(
        cls, days: Iterable[str] = (), *, verdict: str | None = None, failure: str | None = None
    ) -> SourceOutcome:
        """Return the outcome of a source none of whose rows were read."""
        return cls(0, 0, {}, sorted(days), verdict, failure)


@dataclass(frozen=True)
class Summary:
    """The result of a run's transform.

    Attributes:
        version: the Iceberg sequence number of the snapshot that the metrics were read from; 0 if no day changed.
        lake_uuid: the UUID of the lake table; '' if no day changed.
        days: the days whose metrics were recomputed.
        metrics: the folder within the run's folder that contains the metrics as Parquet.
        sources: outcome by source_id.
        forgotten: source_ids that had rows of the users to forget.
    """

    batch_id: str
    execution: str
    version: int
    lake_uuid: str
    days: list[str]
    metrics: str
    sources: dict[str, SourceOutcome] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PinnedReference:
    """The reference data that all job runs of an execution read.

    Attributes:
        place: folder in the lake bucket with the merged data as Parquet, in ``songs`` and ``users``.
        version: `reference_version`: epoch milliseconds of the newest reference object read; 0 if there is none.
        songs_digest: identifies the songs versions.
        usable_songs: the number of usable songs rows; None in a pin of an earlier version of the pipeline.
        found_songs: each songs file that was found and the number of its usable rows, for people.
        left_out: by source_id, why a published version was not read, for people.
    """

    place: str
    version: int
    songs_digest: str = ""
    usable_songs: int | None = None
    found_songs: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadReport:
    """The result of publishing a run's metrics; a retry of the load overwrites the report of the previous try.

    Attributes:
        items_written: items of the days that are published at the run's version; all are written, as they contain it.
        items_refused: items of days whose fence a newer run has advanced.
    """

    items_written: int
    items_refused: int


def malformed(rejected: Mapping[str, int]) -> dict[str, int]:
    """Return those of the rejected rows, by reason, that count toward MaxRejectedRatio."""
    return {reason: count for reason, count in rejected.items() if reason not in NOT_MALFORMED}


def write_manifest(s3: S3Client, folder: RunFolder, manifest: Manifest) -> None:
    """Write the manifest into the run's folder."""
    _write(s3, folder, "manifest.json", asdict(manifest))


def read_manifest(s3: S3Client, folder: RunFolder) -> Manifest:
    """Read the manifest of a run."""
    return _read(s3, folder, "manifest.json", _manifest)


def write_claimed(s3: S3Client, folder: RunFolder, execution: str, manifest: Manifest) -> None:
    """Write what an execution has claimed of the manifest, unless it is written already; all later steps read it.

    manifest.json itself can be overwritten, by another invocation that processes the same sources too late.
    """
    try:
        _write(s3, folder, f"claimed-{execution}.json", asdict(manifest), is_first=True)
    except ClientError as error:
        if error_code(error) != "PreconditionFailed":
            raise


def read_claimed(s3: S3Client, folder: RunFolder, execution: str) -> Manifest:
    """Read what an execution has claimed of the manifest."""
    return _read(s3, folder, f"claimed-{execution}.json", _manifest)


def pin_reference(s3: S3Client, folder: RunFolder, execution: str, reference: PinnedReference) -> PinnedReference:
    """Write the reference data of an execution, unless another job run has done so; return what was written first."""
    try:
        _write(s3, folder, f"reference-{execution}.json", asdict(reference), is_first=True)
    except ClientError as error:
        if error_code(error) != "PreconditionFailed":
            raise
    return find_pinned_reference(s3, folder, execution) or reference


def find_pinned_reference(s3: S3Client, folder: RunFolder, execution: str) -> PinnedReference | None:
    """Read the reference data of an execution; None if it has read none."""
    return _find(s3, folder, f"reference-{execution}.json", _pinned_reference)


def reference_place(value: object) -> str:
    """Return the folder of merged reference data in the lake bucket. Raises ValueError if it is none."""
    return strict.text(value, _PLACE, "a folder below reference/")


def write_result(s3: S3Client, folder: RunFolder, job_run_id: str, summary: Summary) -> None:
    """Write the result of a job run of the transform, next to its metrics; only one of an execution is used."""
    _write(s3, folder, f"metrics/{job_run_id}/summary.json", _summary_as_json(summary))


def read_result(s3: S3Client, folder: RunFolder, job_run_id: str) -> Summary:
    """Read the result of one run of the transform."""
    return _read(s3, folder, f"metrics/{job_run_id}/summary.json", _summary)


def write_load_report(s3: S3Client, folder: RunFolder, job_run_id: str, report: LoadReport) -> None:
    """Write the load's report on the metrics of a run of the transform."""
    _write(s3, folder, f"metrics/{job_run_id}/load.json", asdict(report))


def find_load_report(s3: S3Client, folder: RunFolder, job_run_id: str) -> LoadReport | None:
    """Read the load's report on the metrics of a run of the transform; None if there is none."""
    return _find(s3, folder, f"metrics/{job_run_id}/load.json", lambda raw: LoadReport(**raw))


def write_summary(s3: S3Client, folder: RunFolder, summary: Summary) -> None:
    """Write the summary of the published run into the run's folder."""
    _write(s3, folder, "summary.json", _summary_as_json(summary))


def read_summary(s3: S3Client, folder: RunFolder) -> Summary:
    """Read the summary of a published run."""
    return _read(s3, folder, "summary.json", _summary)


def find_summary(s3: S3Client, folder: RunFolder) -> Summary | None:
    """Read the summary of a run; None if it is not published yet."""
    return _find(s3, folder, "summary.json", _summary)


def _manifest(raw: dict[str, Any]) -> Manifest:
    """Parse a manifest. Users and days are inserted into SQL, so anything that is not a number or a day is rejected."""
    sources = [ManifestSource(**source) for source in raw.pop("sources")]
    days = [strict.day(day) for day in raw.pop("days", [])]
    forget = [strict.whole(user) for user in raw.pop("forget", [])]
    return Manifest(**raw, sources=sources, days=days, forget=forget)


def _pinned_reference(raw: dict[str, Any]) -> PinnedReference:
    usable_songs = raw.get("usable_songs")
    return PinnedReference(
        reference_place(raw["place"]),
        strict.whole(raw["version"], least=0),
        str(raw.get("songs_digest", "")),
        None if usable_songs is None else strict.whole(usable_songs, least=0),
        [str(found) for found in raw.get("found_songs", [])],
        {source_id: str(why) for source_id, why in strict.mapping(raw.get("left_out", {})).items()},
    )


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    content = asdict(summary)
    for outcome in content["sources"].values():
        if outcome["failure"] is None:  # A settle function of an earlier version does not know the field.
            del outcome["failure"]
    return content


def _summary(raw: dict[str, Any]) -> Summary:
    outcomes = {source_id: SourceOutcome(**outcome) for source_id, outcome in raw.pop("sources").items()}
    return Summary(**raw, sources=outcomes)


def _write(s3: S3Client, folder: RunFolder, name: str, content: object, *, is_first: bool = False) -> None:
    write_json(s3, folder.bucket, folder.key(name), content, indent=1, is_first=is_first)


def _read(s3: S3Client, folder: RunFolder, name: str, form: Callable[[dict[str, Any]], T]) -> T:
    return read_json(s3, folder.bucket, folder.key(name), form, _WHAT_TO_DO)


def _find(s3: S3Client, folder: RunFolder, name: str, form: Callable[[dict[str, Any]], T]) -> T | None:
    # A listing is used because a role that may only list runs/ gets 403, not 404, for an object that does not exist.
    key = folder.key(name)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=key)
    exists = any(listed["Key"] == key for page in pages for listed in page.get("Contents", []))
    return _read(s3, folder, name, form) if exists else None
