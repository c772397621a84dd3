"""Operations on files: one request per file; the ledger shows when each has ended."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table

from music_streams import display
from music_streams.aws import objects
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.operate import files
from music_streams.reconcile import stalled
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.sources import Source
from music_streams_cli import journey, output, results
from music_streams_cli.journey import Journey
from music_streams_cli.operation import Operation, no_lines

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ROWS_SHOWN = 20  # files; more are shown in groups
_NAMES_SHOWN = 3  # per group


@dataclass(frozen=True)
class FileRequest:
    """A file for which a request is sent.

    Attributes:
        message: the request.
        why: the reason, which other files may share.
        detail: what is specific to this file.
        entry: its ledger entry; None if it has none.
        attempt: the attempt to wait for.
    """

    source: Source
    message: str
    why: str
    detail: str
    entry: Entry | None
    attempt: int

    @property
    def shown_status(self) -> str:
        """Return its status, or `LANDED`."""
        return self.entry.status if self.entry else journey.LANDED

    def as_json(self) -> dict[str, Any]:
        """Return the file and the reason as JSON."""
        return {
            "source_id": self.source.source_id,
            "key": self.source.key,
            "state": self.shown_status,
            "attempt": self.entry.attempt if self.entry else 0,
            "why": self.why,
            "detail": self.detail,
        }


def new_attempt_request(entry: Entry, action: Action, why: str, detail: str = "") -> FileRequest:
    """Return the request of a new attempt of a file."""
    return FileRequest(entry.source, stalled.request_message(entry, action), why, detail, entry, entry.attempt + 1)


@dataclass(frozen=True)
class Skipped:
    """A file for which no request is sent: it needs none or, if `is_problem`, the operation is not possible."""

    source: Source
    why: str
    is_problem: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the file and the reason as JSON."""
        return {
            "source_id": self.source.source_id,
            "key": self.source.key,
            "why": self.why,
            "is_trouble": self.is_problem,
        }


def split(
    entries: Iterable[Entry], why_not: Callable[[Entry], Skipped | None], request: Callable[[Entry], FileRequest]
) -> tuple[list[FileRequest], list[Skipped]]:
    """Return requests for the entries without a reason against it, and the others as skipped."""
    pairs = [(entry, why_not(entry)) for entry in entries]
    return [request(entry) for entry, reason in pairs if not reason], [reason for _, reason in pairs if reason]


def with_objects(stack: Stack, entries: Sequence[Entry]) -> tuple[list[Entry], list[Skipped]]:
    """Return the entries whose object is readable at its location, and the others, which cannot run again."""
    s3 = stack.s3  # created before the threads start: creating a client is not thread-safe
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        reasons = list(pool.map(lambda entry: _why_no_object(s3, entry), entries))
    pairs = list(zip(entries, reasons, strict=True))
    skipped = [Skipped(entry.source, f"{why}: {entry.place.uri}", is_problem=True) for entry, why in pairs if why]
    return [entry for entry, why in pairs if not why], skipped


def _why_no_object(s3: "S3Client", entry: Entry) -> str:
    if objects.is_readable(s3, entry.place):
        return ""
    return "S3 does not return its copy's bytes" if objects.exists(s3, entry.place) else "its copy was deleted"


@dataclass
class FileOperation(Operation):
    """An operation on files.

    Attributes:
        nothing: the text to show if there are no requests.
        notes: further lines of the plan.
        closing: returns further lines of the result.
    """

    name: str
    stack: Stack
    requests: list[FileRequest]
    skipped: list[Skipped]
    nothing: str
    notes: list[str] = field(default_factory=list)
    closing: Callable[[list[Entry]], list[str]] = no_lines
    is_destructive: bool = False
    _journeys: list[Journey] = field(default_factory=list)

    @property
    def amount(self) -> str:
        """Return the number of files."""
        return display.plural(len(self.requests), "file") if self.requests else ""

    def plan(self) -> list[RenderableType]:
        """Return the files, in groups if there are many, the notes, and the skipped files."""
        table = self._table() if len(self.requests) <= _ROWS_SHOWN else self._groups()
        notes = ["", *self.notes] if self.notes and self.requests else []
        return [table if self.requests else self.nothing, *notes, *self._skipped_lines()]

    def plan_as_json(self) -> dict[str, Any]:
        """Return the files and the skipped files as JSON."""
        return {
            "files": [request.as_json() for request in self.requests],
            "left": [skipped.as_json() for skipped in self.skipped],
        }

    def send(self) -> None:
        """Send one request per file to the arrivals queue."""
        queue_url = self.stack.output("ArrivalsQueueUrl")
        requests.send(self.stack.client("sqs"), queue_url, [request.message for request in self.requests])
        at = datetime.now(UTC)
        self._journeys = [
            Journey(request.source.source_id, request.source.name, at, request.entry, request.attempt)
            for request in self.requests
        ]

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until the requested attempt of every file has ended."""
        journey.follow(self.stack.ledger, self._journeys, progress, timeout_seconds)

    def result(self) -> list[RenderableType]:
        """Return the files' statuses, as counts if there are many, and next steps for those with problems."""
        ended, with_problems = self._ended, self._with_problems
        are_few = len(ended) <= _ROWS_SHOWN
        parts: list[RenderableType] = ["", _result_table(ended) if are_few else journey.summary(self._journeys)]
        if lines := self.closing(ended):
            parts += ["", *lines]
        for entry in with_problems[:_ROWS_SHOWN]:
            parts += results.problem(self.stack, entry)
        if len(with_problems) > _ROWS_SHOWN:
            parts += ["", f"and {len(with_problems) - _ROWS_SHOWN:,} more: music-streams status --limit {len(ended)}"]
        return parts

    def result_as_json(self) -> dict[str, Any]:
        """Return the ledger entries as JSON."""
        return {"files": [files.as_json(entry) for entry in self._ended]}

    @property
    def has_problems(self) -> bool:
        """Return whether a file failed or was quarantined, or a requested operation is not possible."""
        return bool(self._with_problems) or any(skipped.is_problem for skipped in self.skipped)

    @property
    def _ended(self) -> list[Entry]:
        return [journey.entry for journey in self._journeys if journey.entry]

    @property
    def _with_problems(self) -> list[Entry]:
        """Return the entries that changed and ended in failure or quarantine."""
        pairs = zip(self.requests, self._journeys, strict=False)  # before requests are sent there are no journeys
        return [
            journey.entry
            for request, journey in pairs
            if journey.entry and journey.entry != request.entry and journey.entry.status in results.UNSUCCESSFUL
        ]

    def _table(self) -> Table:
        table = output.table("file", "status", "why", "source_id", elastic="why")
        for request in self.requests:
            why = f"{request.why}: {request.detail}" if request.detail else request.why
            status = journey.styled_status(request.shown_status)
            table.add_row(output.name(request.source.name), status, why, request.source.source_id[:8])
        return table

    def _groups(self) -> Table:
        groups = defaultdict[str, list[FileRequest]](list)
        for request in self.requests:
            groups[request.why].append(request)
        table = output.table("files", "why", "examples", right=("files",), elastic="examples", breaking="why")
        for why, group in groups.items():
            names = ", ".join(output.name(request.source.name) for request in group[:_NAMES_SHOWN])
            more = ", …" if len(group) > _NAMES_SHOWN else ""
            table.add_row(f"{len(group):,}", why, names + more)
        return table

    def _skipped_lines(self) -> list[RenderableType]:
        if not self.skipped:
            return []
        lines = [f"skipped {skipped.source.key}: {skipped.why}" for skipped in self.skipped[:_ROWS_SHOWN]]
        more = len(self.skipped) - _ROWS_SHOWN
        return ["", *lines, *([f"skipped {more:,} more"] if more > 0 else [])]


def _result_table(entries: list[Entry]) -> Table:
    columns = ("file", "status", "attempt", "read", "accepted", "rejected")
    table = output.table(*columns, right=columns[2:], elastic="file")
    for entry in entries:
        status = journey.styled_status(entry.status, entry.reason)
        table.add_row(output.name(entry.source.name), status, f"{entry.attempt}", *results.numbers(entry))
    return table
