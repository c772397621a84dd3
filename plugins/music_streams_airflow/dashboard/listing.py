"""Lists of files: those behind each number on the dashboard."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice
from operator import and_
from typing import Annotated, Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase
from pydantic import BaseModel, Field, field_validator

from music_streams.operate import files
from music_streams.reconcile.findings import FileFinding, State
from music_streams.reconcile.reports import Reports
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import Status

LANDED = "LANDED"
"""Shown as the status of a file that has no ledger entry yet."""
PER_PAGE = 50
_MAX_PAGE = 200


class ListingChoice(BaseModel):
    """The filters of a list of files; an empty one matches all files.

    Attributes:
        state: the state in the last reconciliation; all other filters are ignored then.
        status: the current status, or LANDED.
        reason: the reason of the status, or a reason for which rows were rejected.
        day: UTC date of arrival, YYYY-MM-DD. Matches streams files only, as the numbers of a day do.
    """

    state: State | None = None
    status: list[Status | Literal["LANDED"]] = Field(default=[], max_length=9)
    reason: Annotated[str, Field(max_length=1000)] = ""
    day: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    page: Annotated[int, Field(ge=1, le=_MAX_PAGE)] = 1

    @field_validator("state", "status", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:  # noqa: ANN401 - any query parameter
        """Let ``state=&status=`` match all files."""
        return [item for item in value if item] if isinstance(value, list) else value or None

    @property
    def title(self) -> str:
        """Return the heading of the list."""
        states = [str(self.state)] if self.state else [*self.status]
        parts = [f"{' or '.join(states)} files" if states else "Files"]
        if self.day and not self.state:
            parts.append(f"that arrived on {self.day}")
        if self.reason and not self.state:
            parts.append(f"with reason {self.reason}")
        return " ".join(parts)

    def query(self, page: int) -> dict[str, str | list[str]]:
        """Return the query parameters of another page of the list."""
        return {**self.model_dump(exclude_defaults=True, mode="json"), "page": str(page)}


@dataclass(frozen=True)
class Line:
    """A file in a list; row counts are None if its rows were not read."""

    source_id: str
    key: str
    status: str
    reason: str
    received_at: str
    moved_at: str
    rows_read: int | None = None
    rows_accepted: int | None = None
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """A page of a list; `has_more`: whether another page follows."""

    lines: list[Line]
    has_more: bool


def read(stack: Stack, choice: ListingChoice) -> Listing:
    """Return the requested page, the most recently changed file first."""
    first = (choice.page - 1) * PER_PAGE
    lines = list(islice(_lines(stack, choice), first, first + PER_PAGE + 1))
    return Listing(lines[:PER_PAGE], len(lines) > PER_PAGE)


def _lines(stack: Stack, choice: ListingChoice) -> Iterator[Line]:
    if choice.state:
        report = Reports(stack.s3, stack.lake_bucket).latest()
        findings = report.findings.files if report else []
        of_state = (_of_finding(finding) for finding in findings if finding.state is choice.state)
        return iter(sorted(of_state, key=_moved_at, reverse=True))
    wanted = [status for status in Status if not choice.status or status in choice.status]
    lists: list[Iterable[Line]] = [
        map(_of_entry, stack.ledger.with_status(status, choice.day, _condition(choice))) for status in wanted
    ]
    if (not choice.status or LANDED in choice.status) and not choice.reason:
        landed = (_of_source(source) for source in files.landed(stack) if source.received_at.startswith(choice.day))
        lists.append(sorted(landed, key=_moved_at, reverse=True))
    return heapq.merge(*lists, key=_moved_at, reverse=True)


def _condition(choice: ListingChoice) -> ConditionBase | None:
    conditions: list[ConditionBase] = []
    if choice.day:
        conditions += [Attr("received_at").begins_with(choice.day), Attr("key").begins_with(files.STREAMS_PREFIX)]
    if choice.reason:
        has_reason: ConditionBase = Attr("reason").eq(choice.reason)
        if choice.reason.replace("_", "").isalnum():
            has_reason |= Attr(f"rejected.{choice.reason}").exists()
        conditions.append(has_reason)
    return reduce(and_, conditions) if conditions else None


def _moved_at(line: Line) -> str:
    return line.moved_at


def _of_finding(file: FileFinding) -> Line:
    moved_at = file.since or file.received_at
    return Line(file.source_id, file.key, file.status or LANDED, file.why, file.received_at, moved_at)


def _of_entry(entry: Entry) -> Line:
    source, is_read = entry.source, entry.rows_read or entry.published_at
    line = Line(source.source_id, source.key, entry.status, entry.reason, source.received_at, entry.updated_at)
    if not is_read:
        return replace(line, rejected=entry.rejected)
    return replace(line, rows_read=entry.rows_read, rows_accepted=entry.rows_accepted, rejected=entry.rejected)


def _of_source(source: Source) -> Line:
    return Line(source.source_id, source.key, LANDED, "", source.received_at, source.received_at)
