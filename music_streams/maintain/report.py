"""The report of a maintenance run: ``reports/maintenance/<job run>.json`` in the lake bucket."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from music_streams.aws.json_objects import read_json, write_json

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Size:
    """The size of a table at an instant.

    Attributes:
        data_files: of the current snapshot.
        data_bytes: of these files.
        manifests: of the current snapshot; they list its files.
        snapshots: those that can be read.
    """

    data_files: int
    data_bytes: int
    manifests: int
    snapshots: int


@dataclass(frozen=True)
class TableReport:
    """The maintenance of one table.

    Attributes:
        rows_removed: rejected rows whose retention was over.
        orphans_removed: files that no snapshot referred to.
        left: what was skipped because runs were changing it; the next maintenance run retries it.
    """

    table: str
    before: Size
    after: Size
    rows_removed: int
    orphans_removed: int
    left: list[str]


@dataclass(frozen=True)
class MaintenanceReport:
    """The report of one maintenance run."""

    run_id: str
    tables: list[TableReport]


def write(s3: S3Client, bucket: str, report: MaintenanceReport) -> None:
    """Write a report to the lake bucket."""
    write_json(s3, bucket, _key(report.run_id), asdict(report), indent=1, is_ascii=True)


def read(s3: S3Client, bucket: str, run_id: str) -> MaintenanceReport:
    """Return the report of a job run that succeeded."""
    return read_json(
        s3, bucket, _key(run_id), _report, "maintenance itself succeeded; for a new report run: music-streams maintain"
    )


def _report(content: dict[str, Any]) -> MaintenanceReport:
    tables = [
        TableReport(**{**each, "before": Size(**each["before"]), "after": Size(**each["after"])})
        for each in content["tables"]
    ]
    return MaintenanceReport(content["run_id"], tables)


def _key(run_id: str) -> str:
    return f"reports/maintenance/{run_id}.json"
