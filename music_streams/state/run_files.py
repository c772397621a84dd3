"""A run's folder in the lake bucket: ``runs/<batch_id>/`` with manifest.json, input/, metrics/ and summary.json.

The manifest says what is to be processed, ``claimed-<execution>.json`` what of it an execution holds,
``metrics/<run_id>/summary.json`` what a run of the transform made of that, and summary.json what was published. All are
JSON, written whole; one that another has damaged is a DamagedObject to whoever reads it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from music_streams import strict
from music_streams.aws.clients import error_code, split_uri
from music_streams.aws.json_objects import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

T = TypeVar("T")

_WHAT_TO_DO = "restore it as the pipeline wrote it, or delete it and let its files run again: music-streams redrive"
_UNREAD = {"retract", "put_aside"}  # values of sources.Treatment


@dataclass(frozen=True)
class RunFolder:
    """The place of a batch in the lake bucket."""

    bucket: str
    batch_id: str

    @classmethod
    def of_manifest(cls, uri: str) -> RunFolder:
        """The folder in which the manifest at `uri` lies."""
        bucket, key = split_uri(uri)
        _, batch_id, _ = key.rsplit("/", 2)
        return cls(bucket, batch_id)

    def key(self, name: str) -> str:
        """The key of a file or folder of the run."""
        return f"runs/{self.batch_id}/{name}"

    def uri(self, name: str) -> str:
        """The S3 URI of a file or folder of the run."""
        return f"s3://{self.bucket}/{self.key(name)}"

    @property
    def manifest_uri(self) -> str:
        """The URI that is the whole input of an execution."""
        return self.uri("manifest.json")


@dataclass(frozen=True)
class ManifestSource:
    """A staged source.

    Attributes:
        kind: what the file is. Reference files are listed, but not staged: a run reads all that lie there.
        input: the staged object's name under ``input/``: ``<source_id>.csv``, or ``.csv.gz`` where it is gzip.
        header: the column names of its header row, in order.
        received_at: the stamp of its arrival, the yardstick for ``future_listen_time``.
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
    """What one run processes.

    Attributes:
        sources: sorted by source_id, so that equal batches give equal bytes.
        days: days to recompute besides those of the sources.
        forget: user_ids whose rows leave the lake and whose lines leave the kept files.
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
    def retracted(self) -> list[ManifestSource]:
        """The sources whose rows leave the lake."""
        return [source for source in self.sources if source.treatment == "retract"]

    @property
    def put_aside(self) -> list[ManifestSource]:
        """The sources that are refused unread."""
        return [source for source in self.sources if source.treatment == "put_aside"]

    def only(self, source_ids: set[str]) -> Manifest:
        """The manifest without the sources that are not among `source_ids`."""
        return replace(self, sources=[source for source in self.sources if source.source_id in source_ids])


@dataclass(frozen=True)
class SourceOutcome:
    """What the transform made of one source: rows_read = rows_accepted + the sum of `rejected`.

    Of a source with `verdict` nothing was committed: ``too_many_bad_rows``, whose counts are kept, or ``not_csv`` where
    Spark could not read the file.
    """

    rows_read: int
    rows_accepted: int
    rejected: dict[str, int]
    days: list[str]
    verdict: str | None = None


@dataclass(frozen=True)
class Summary:
    """What came of a run's transform.

    Attributes:
        version: the Iceberg sequence number of the snapshot that the metrics were read from; 0 where no day changed.
        lake_uuid: the UUID of the lake table; '' where no day changed.
        days: the days whose metrics were recomputed.
        metrics: the folder under the run's folder that holds the metrics as Parquet.
        sources: outcome by source_id.
        forgotten: source_ids that held rows of the users to forget.
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
class LoadReport:
    """What came of publishing a run's metrics; a load that is repeated tells of its own try, and that is what stands.

    Attributes:
        items_written: items of days that stand at the run's version. All are written anew: they carry the version.
        items_refused: items of days that a newer run has.
    """

    items_written: int
    items_refused: int


def write_manifest(s3: S3Client, folder: RunFolder, manifest: Manifest) -> None:
    """Write the manifest into the run's folder."""
    _write(s3, folder, "manifest.json", asdict(manifest))


def read_manifest(s3: S3Client, folder: RunFolder) -> Manifest:
    """Read the manifest of a run."""
    return _read(s3, folder, "manifest.json", _manifest)


def write_claimed(s3: S3Client, folder: RunFolder, execution: str, manifest: Manifest) -> None:
    """Write what of the manifest an execution holds. The first stands: it is what all its later steps read.

    manifest.json itself may be written again, by another function that takes the same sources too late.
    """
    try:
        _write(s3, folder, f"claimed-{execution}.json", asdict(manifest), is_first=True)
    except ClientError as error:
        if error_code(error) != "PreconditionFailed":
            raise


def read_claimed(s3: S3Client, folder: RunFolder, execution: str) -> Manifest:
    """Read what of the manifest an execution holds."""
    return _read(s3, folder, f"claimed-{execution}.json", _manifest)


def write_result(s3: S3Client, folder: RunFolder, run_id: str, summary: Summary) -> None:
    """Write what one run of the transform made, beside its metrics: of two runs of an execution one is gone on with."""
    _write(s3, folder, f"metrics/{run_id}/summary.json", asdict(summary))


def read_result(s3: S3Client, folder: RunFolder, run_id: str) -> Summary:
    """Read what one run of the transform made."""
    return _read(s3, folder, f"metrics/{run_id}/summary.json", _summary)


def write_load_report(s3: S3Client, folder: RunFolder, run_id: str, report: LoadReport) -> None:
    """Write what the load made of the metrics of a run of the transform."""
    _write(s3, folder, f"metrics/{run_id}/load.json", asdict(report))


def find_load_report(s3: S3Client, folder: RunFolder, run_id: str) -> LoadReport | None:
    """Read what the load made of them; None where it told nothing."""
    return _find(s3, folder, f"metrics/{run_id}/load.json", lambda raw: LoadReport(**raw))


def write_summary(s3: S3Client, folder: RunFolder, summary: Summary) -> None:
    """Write the summary of the run that was published into the run's folder."""
    _write(s3, folder, "summary.json", asdict(summary))


def read_summary(s3: S3Client, folder: RunFolder) -> Summary:
    """Read the summary of a run that was published."""
    return _read(s3, folder, "summary.json", _summary)


def find_summary(s3: S3Client, folder: RunFolder) -> Summary | None:
    """Read the summary of a run; None where none was published yet."""
    return _find(s3, folder, "summary.json", _summary)


def _manifest(raw: dict[str, Any]) -> Manifest:
    """Users and days go into SQL: what is no number or no day is refused here, whoever wrote it."""
    listed = [ManifestSource(**source) for source in raw.pop("sources")]
    days = [strict.day(day) for day in raw.pop("days", [])]
    forget = [strict.whole(user) for user in raw.pop("forget", [])]
    return Manifest(**raw, sources=listed, days=days, forget=forget)


def _summary(raw: dict[str, Any]) -> Summary:
    outcomes = {source_id: SourceOutcome(**outcome) for source_id, outcome in raw.pop("sources").items()}
    return Summary(**raw, sources=outcomes)


def _write(s3: S3Client, folder: RunFolder, name: str, content: object, *, is_first: bool = False) -> None:
    write_json(s3, folder.bucket, folder.key(name), content, indent=1, is_first=is_first)


def _read(s3: S3Client, folder: RunFolder, name: str, form: Callable[[dict[str, Any]], T]) -> T:
    return read_json(s3, folder.bucket, folder.key(name), form, _WHAT_TO_DO)


def _find(s3: S3Client, folder: RunFolder, name: str, form: Callable[[dict[str, Any]], T]) -> T | None:
    """As _read; None where there is nothing."""
    # Looked for in the list: who may only list runs/ hears 403, not 404, of an object that is not there.
    key = folder.key(name)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=key)
    is_there = any(found["Key"] == key for page in pages for found in page.get("Contents", []))
    return _read(s3, folder, name, form) if is_there else None
