"""Operations on files: one message a file, and the ledger tells when each has come to its end."""

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
from music_streams_cli.operation import Operation, nothing_more

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ROWS_SHOWN = 20  # files; more are told in groups
_NAMES_SHOWN = 3  # of a group


@dataclass(frozen=True)
class Move:
    """A file that is to be moved.

    Attributes:
        message: what to send.
        why: what many files may have in common.
        detail: what is this one's own.
        entry: what the ledger says of it; None where it knows nothing.
        attempt: whose end is awaited.
    """

    source: Source
    message: str
    why: str
    detail: str
    entry: Entry | None
    attempt: int

    @property
    def state(self) -> str:
        """Where it stands."""
        return self.entry.status if self.entry else journey.LANDED

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source_id": self.source.source_id,
            "key": self.source.key,
            "state": self.state,
            "attempt": self.entry.attempt if self.entry else 0,
            "why": self.why,
            "detail": self.detail,
        }


def another_attempt(entry: Entry, action: Action, why: str, detail: str = "") -> Move:
    """A file that is to run again."""
    return Move(entry.source, stalled.ask(entry, action), why, detail, entry, entry.attempt + 1)


@dataclass(frozen=True)
class Skipped:
    """A file that is left alone.

    Attributes:
        is_trouble: it was asked for and cannot be done; else it stands where it is to stand.
    """

    source: Source
    why: str
    is_trouble: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source_id": self.source.source_id,
            "key": self.source.key,
            "why": self.why,
            "is_trouble": self.is_trouble,
        }


def divided(
    entries: Iterable[Entry], why_not: Callable[[Entry], Skipped | None], move: Callable[[Entry], Move]
) -> tuple[list[Move], list[Skipped]]:
    """The moves of the entries that can be moved, and the others with the reason why not."""
    found = [(entry, why_not(entry)) for entry in entries]
    return [move(entry) for entry, reason in found if not reason], [reason for _, reason in found if reason]


def with_objects(stack: Stack, entries: Sequence[Entry]) -> tuple[list[Entry], list[Skipped]]:
    """Those whose object can be read where the ledger says, and the others, which cannot run again."""
    s3 = stack.s3  # made here, for threads must not make it at once
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        reasons = list(pool.map(lambda entry: _why_no_object(s3, entry), entries))
    found = list(zip(entries, reasons, strict=True))
    left = [Skipped(entry.source, f"{why}: {entry.place.uri}", is_trouble=True) for entry, why in found if why]
    return [entry for entry, why in found if not why], left


def _why_no_object(s3: "S3Client", entry: Entry) -> str:
    if objects.is_readable(s3, entry.place):
        return ""
    return "S3 does not give its copy's bytes" if objects.exists(s3, entry.place) else "its copy was deleted"


@dataclass
class Moves(Operation):
    """An operation on files.

    Attributes:
        nothing: what to say where no file is to be moved.
        notes: what else is to be known before it begins.
        closing: further words about how the files ended.
    """

    name: str
    stack: Stack
    moves: list[Move]
    left: list[Skipped]
    nothing: str
    notes: list[str] = field(default_factory=list)
    closing: Callable[[list[Entry]], list[str]] = nothing_more
    is_destructive: bool = False
    _journeys: list[Journey] = field(default_factory=list)

    @property
    def amount(self) -> str:
        """How many files."""
        return display.plural(len(self.moves), "file") if self.moves else ""

    def plan(self) -> list[RenderableType]:
        """The files one by one, or in groups where they are many; what is to be known; what is left alone."""
        table = [self._table() if len(self.moves) <= _ROWS_SHOWN else self._groups()] if self.moves else [self.nothing]
        notes = ["", *self.notes] if self.notes and self.moves else []
        return [*table, *notes, *self._skipped()]

    def plan_as_json(self) -> dict[str, Any]:
        """The files and those left alone."""
        return {"files": [move.as_json() for move in self.moves], "left": [each.as_json() for each in self.left]}

    def send(self) -> None:
        """A message a file into the arrivals queue."""
        queue_url = self.stack.output("ArrivalsQueueUrl")
        requests.send(self.stack.client("sqs"), queue_url, [move.message for move in self.moves])
        at = datetime.now(UTC)
        self._journeys = [
            Journey(move.source.source_id, move.source.name, at, move.entry, move.attempt) for move in self.moves
        ]

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Until every file has come to its end by the attempt that was asked for."""
        journey.follow(self.stack.ledger, self._journeys, progress, timeout_seconds)

    def result(self) -> list[RenderableType]:
        """Where each file stands now, or how many stand where; what to do about those that ended badly."""
        ended, troubled = self._ended, self._troubled
        are_few = len(ended) <= _ROWS_SHOWN
        parts: list[RenderableType] = ["", _result_table(ended) if are_few else journey.summary(self._journeys)]
        if words := self.closing(ended):
            parts += ["", *words]
        for entry in troubled[:_ROWS_SHOWN]:
            parts += results.trouble(self.stack, entry)
        if len(troubled) > _ROWS_SHOWN:
            parts += ["", f"and {len(troubled) - _ROWS_SHOWN:,} more: music-streams status --limit {len(ended)}"]
        return parts

    def result_as_json(self) -> dict[str, Any]:
        """The entries of the ledger."""
        return {"files": [files.as_json(entry) for entry in self._ended]}

    @property
    def has_trouble(self) -> bool:
        """Whether a file ended badly, or was asked for and cannot be moved."""
        return bool(self._troubled) or any(each.is_trouble for each in self.left)

    @property
    def _ended(self) -> list[Entry]:
        return [each.entry for each in self._journeys if each.entry]

    @property
    def _troubled(self) -> list[Entry]:
        """What ended badly; what stands as it stood is no news."""
        pairs = zip(self.moves, self._journeys, strict=False)  # before they are sent there are no journeys
        return [
            each.entry
            for move, each in pairs
            if each.entry and each.entry != move.entry and each.entry.status in results.TROUBLE
        ]

    def _table(self) -> Table:
        table = output.table("file", "state", "why", "source_id", elastic="why")
        for move in self.moves:
            why = f"{move.why}: {move.detail}" if move.detail else move.why
            table.add_row(output.name(move.source.name), journey.state(move.state), why, move.source.source_id[:8])
        return table

    def _groups(self) -> Table:
        groups = defaultdict[str, list[Move]](list)
        for move in self.moves:
            groups[move.why].append(move)
        table = output.table("files", "why", "such as", right=("files",), elastic="such as", breaking="why")
        for why, moves in groups.items():
            names = ", ".join(output.name(move.source.name) for move in moves[:_NAMES_SHOWN])
            more = ", …" if len(moves) > _NAMES_SHOWN else ""
            table.add_row(f"{len(moves):,}", why, names + more)
        return table

    def _skipped(self) -> list[RenderableType]:
        if not self.left:
            return []
        lines = [f"left alone: {each.source.key}: {each.why}" for each in self.left[:_ROWS_SHOWN]]
        more = len(self.left) - _ROWS_SHOWN
        return ["", *lines, *([f"left alone: {more:,} more"] if more > 0 else [])]


def _result_table(entries: list[Entry]) -> Table:
    columns = ("file", "state", "attempt", "read", "accepted", "rejected")
    table = output.table(*columns, right=columns[2:], elastic="file")
    for entry in entries:
        state = journey.state(entry.status, entry.reason)
        table.add_row(output.name(entry.source.name), state, f"{entry.attempt}", *results.numbers(entry))
    return table
