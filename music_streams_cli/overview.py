"""The files and the health of a pipeline at one point in time."""

from collections.abc import Sequence
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
    """A file in a list; `ended_at` is '' while it is in flight."""

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
        """Return the seconds from its arrival until it was published, quarantined or failed, or until now."""
        return display.seconds_between(self.received_at, self.ended_at) or display.age(self.received_at, now)


@dataclass(frozen=True)
class Overview:
    """The content of `status`; the last file to arrive is first in `lines`."""

    health: Health
    lines: list[FileLine]
    is_cut: bool


@dataclass(frozen=True)
class Choice:
    """A selection of files; '' and empty select all."""

    statuses: Sequence[str] = ()
    day: str = ""
    since: str = ""
    limit: int = 20

    def includes(self, status: str) -> bool:
        """Return whether files with that status are selected."""
        return not self.statuses or status in self.statuses

    @property
    def nothing(self) -> str:
        """The text to show if no file is selected."""
        if self.day or self.since:
            return "no matching file"
        return f"no file is {' or '.join(self.statuses)}" if self.statuses else "no files yet"


def read(stack: Stack, choice: Choice) -> Overview:
    """Read the health, and the latest selected files of each status."""
    now = datetime.now(UTC)
    snapshot = health.read(stack, now)
    condition = Attr("days").contains(choice.day) if choice.day else None
    lines = [
        _line(entry)
        for status in Status
        if choice.includes(status)
        for entry in islice(stack.ledger.with_status(status, choice.since, condition), choice.limit + 1)
    ]
    if choice.includes(LANDED) and not choice.day:
        lines += [_landed_line(source) for source in snapshot.landed if source.received_at >= choice.since]
    lines.sort(key=lambda line: (line.received_at, line.name), reverse=True)
    return Overview(snapshot.health, lines[: choice.limit], is_cut=len(lines) > choice.limit)


def _line(entry: Entry) -> FileLine:
    source, rows = entry.source, (entry.rows_read, entry.rows_accepted, sum(entry.rejected.values()))
    names, state = (source.source_id, source.name, source.key), (entry.status, entry.reason)
    return FileLine(*names, *state, *rows, entry.batch_id, source.received_at, files.ended_at(entry))


def _landed_line(source: Source) -> FileLine:
    return FileLine(source.source_id, source.name, source.key, LANDED, "", 0, 0, 0, "", source.received_at, "")
