"""The report of one file, from the ledger, the bucket, Step Functions, Glue, the run's folder and the metrics."""

import logging
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from botocore.exceptions import ClientError

from music_streams.aws.clients import is_gone
from music_streams.errors import DamagedObject
from music_streams.operate import files, history, next_steps
from music_streams.operate.history import Execution
from music_streams.operate.next_steps import NextStep
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.run_files import RunFolder, Summary, read_summary
from music_streams.state.statuses import FINISHED, Status

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayItems:
    """The items of a day that the file touches; `from_this_run` of them were written last by its run."""

    day: str
    items: int
    from_this_run: int
    version: int


@dataclass(frozen=True)
class Location:
    """The location of the file's object, and whether the object exists."""

    uri: str
    is_there: bool


@dataclass(frozen=True)
class FileReport:
    """The report of one file.

    Attributes:
        execution: None if it has none, or if its history expired.
        summary: None if its run wrote no readable summary, or if the summary expired.
    """

    entry: Entry
    execution: Execution | None
    summary: Summary | None
    touched: list[DayItems]
    location: Location
    reason: dict[str, Any] | None
    next_steps: list[NextStep]

    def run_as_json(self) -> dict[str, Any]:
        """Return the part that is the same for all files of the batch, as JSON."""
        return {
            "execution": asdict(self.execution) if self.execution else None,
            "lake": {"version": self.summary.version, "uuid": self.summary.lake_uuid} if self.summary else None,
            "items": [asdict(day) for day in self.touched],
        }

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "file": files.as_json(self.entry),
            **self.run_as_json(),
            "lies_at": asdict(self.location),
            "reason": self.reason,
            "next": [str(step) for step in self.next_steps],
        }


def gather(stack: Stack, entry: Entry) -> FileReport:
    """Return the report of a file."""
    days = entry.days if entry.published_at else []
    return FileReport(
        entry,
        history.execution(stack, entry.execution_arn) if entry.execution_arn else None,
        _summary(stack, entry),
        _touched(stack, days, entry.batch_id),
        location_of(stack, entry),
        files.reason_of(stack, entry),
        next_steps.on_stack(stack, entry),
    )


def location_of(stack: Stack, entry: Entry) -> Location:
    """Return the current location of the file, checked in S3."""
    source = entry.source
    stays = source.kind.is_reference and entry.status is Status.ARCHIVED  # Only its copy is in the archive.
    if not stays and entry.status in FINISHED and entry.archive_key:
        return Location(f"s3://{source.bucket}/{entry.archive_key}", _exists(stack, source.bucket, entry.archive_key))
    return Location(source.uri, _exists(stack, source.bucket, source.key, VersionId=source.version_id))


def _exists(stack: Stack, bucket: str, key: str, **version: str) -> bool:
    try:
        stack.s3.head_object(Bucket=bucket, Key=key, **version)  # type: ignore[arg-type]  # VersionId or nothing
    except ClientError as error:
        if is_gone(error):
            return False
        raise
    return True


def _summary(stack: Stack, entry: Entry) -> Summary | None:
    """Return the summary of the entry's own run; None if it is an older attempt's."""
    if not entry.batch_id:
        return None
    try:
        summary = read_summary(stack.s3, RunFolder(stack.lake_bucket, entry.batch_id))
    except DamagedObject as error:
        log.warning("%s", error)
        return None
    except ClientError as error:
        if is_gone(error):
            return None
        raise
    return summary if entry.execution_arn.endswith(f":{summary.execution}") else None


def gather_batch(stack: Stack, entries: list[Entry]) -> FileReport:
    """Return the report of a batch: that of its first file, with the days of all its files."""
    first = gather(stack, entries[0])
    days = sorted({day for entry in entries if entry.published_at for day in entry.days})
    return replace(first, touched=_touched(stack, days, first.entry.batch_id))


def _touched(stack: Stack, days: list[str], batch_id: str) -> list[DayItems]:
    touched = []
    for day in days:
        items = stack.reader.items_of_day(date.fromisoformat(day))
        ours = sum(item.batch_id == batch_id for item in items)
        touched.append(DayItems(day, len(items), ours, max((item.version for item in items), default=0)))
    return touched
