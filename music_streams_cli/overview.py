"""The files and the health of a pipeline, read at one moment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from boto3.dynamodb.conditions import Attr

from music_streams import display
from music_streams.operate import files, health
from music_streams.operate.health import Health
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams_cli.journey import LANDED


@dataclass(frozen=True)
class FileLine:
    """A file as a list shows it; `ended_at` is '' while it is on its way."""

    source_id: str
    name: str
    key: str
    state: str
    reason: str
    rows_read: int
    rows_accepted: int
    rejected: int
    batch_id: str
    received_at: str
    ended_at: str

    def seconds(self, now: datetime) -> float:
        """Seconds from its arrival until its metrics stood or it was put aside, or until now."""
        return display.between(self.received_at, self.ended_at) or display.age(self.received_at, now)


@dataclass(frozen=True)
class Overview:
    """What `status` shows; `lines` begin with what arrived last."""

    health: Health
    lines: list[FileLine]
    is_cut: bool


@dataclass(frozen=True)
class Choice:
    """Which files are asked for; '' and empty stand for all."""

    states: frozenset[str] = frozenset()
    day: str = ""
    since: str = ""
    limit: int = 20

    def wants(self, state: str) -> bool:
        """Whether files of that state are asked for."""
        return not self.states or state in self.states


def read(stack: Stack, choice: Choice) -> Overview:
    """Read the open and failed files whole, of the others as many as are asked for."""
    now = datetime.now(UTC)
    found = health.read(stack, now)
    condition = Attr("days").contains(choice.day) if choice.day else None
    lines = [
        _line(entry)
        for status in Status
        if choice.wants(status)
        for entry in islice(stack.ledger.with_status(status, choice.since, condition), choice.limit + 1)
    ]
    if choice.wants(LANDED) and not choice.day:
        lines += [_landed_line(source) for source in found.landed if source.received_at >= choice.since]
    lines.sort(key=lambda line: (line.received_at, line.name), reverse=True)
    return Overview(found.health, lines[: choice.limit], is_cut=len(lines) > choice.limit)


def _line(entry: Entry) -> FileLine:
    source, rows = entry.source, (entry.rows_read, entry.rows_accepted, sum(entry.rejected.values()))
    names, state = (source.source_id, source.name, source.key), (entry.status, entry.reason)
    return FileLine(*names, *state, *rows, entry.batch_id, source.received_at, files.ended_at(entry))


def _landed_line(source: Source) -> FileLine:
    return FileLine(source.source_id, source.name, source.key, LANDED, "", 0, 0, 0, "", source.received_at, "")
