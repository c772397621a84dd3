"""Files on their way through the pipeline: put them, follow them in the ledger, show where they are."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rich.live import Live
from rich.table import Table
from rich.text import Text

from music_streams import clock, display
from music_streams.stack import Stack
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams_cli import output
from music_streams_cli.errors import NoCloud, TimedOut

ENDED = frozenset({Status.ARCHIVED, Status.QUARANTINED, Status.FAILED, Status.RETRACTED})
SETTLED = ENDED | {Status.PUBLISHED}  # the metrics stand: only the move to the archive may be left
STYLES: Mapping[str, str] = {
    Status.ARCHIVED: "green",
    Status.PUBLISHED: "green",
    Status.QUARANTINED: "yellow",
    Status.FAILED: "bold red",
    Status.RETRACTED: "dim",
}
LANDED = "LANDED"  # in the bucket; the ledger does not know it yet
ASKED = "ASKED"  # another attempt was asked for and has not begun
_POLL_SECONDS = 0.3
_ENTRIES_A_SECOND = 500  # at most so many are read: a thousand files need their pipeline more than our questions
_ROWS_SHOWN = 20
_LINES_PER_FILE_UP_TO = 12  # files; more would flood a log


@dataclass
class Journey:
    """One file since its PUT, or since something was asked for about it.

    Attributes:
        entry: what the ledger says of it; None until it is received.
        attempt: the first that counts: where an earlier one has brought it is not where it was to get.
    """

    source_id: str
    name: str
    put_at: datetime
    entry: Entry | None = None
    attempt: int = 1

    @property
    def state(self) -> str:
        """Its status, `LANDED` or `ASKED`."""
        if self.entry is None:
            return LANDED
        return ASKED if self.entry.attempt < self.attempt and self.entry.status in ENDED else self.entry.status

    def has_reached(self, goal: frozenset[Status]) -> bool:
        """Whether it stands where it was to get."""
        if self.entry is None or self.entry.attempt < self.attempt:
            return False
        is_half_retracted = self.entry.status is Status.ARCHIVED and self.entry.is_retracted
        return self.entry.status in goal and not is_half_retracted

    def seconds_until(self, stamp: str) -> float | None:
        """Seconds from the PUT to a stamp of the ledger; None where it has none yet."""
        return (clock.parse(stamp) - self.put_at).total_seconds() if stamp else None


def put(stack: Stack, key: str, body: bytes | IO[bytes] | Path) -> Journey:
    """Put one file into the landing bucket.

    Raises:
        NoCloud: the bucket keeps no versions.
    """
    if isinstance(body, Path):
        with body.open("rb") as file:
            return put(stack, key, file)
    put_at = datetime.now(UTC)
    version = stack.s3.put_object(Bucket=stack.landing_bucket, Key=key, Body=body).get("VersionId")
    if not version:
        raise NoCloud(
            f"the bucket {stack.landing_bucket} keeps no versions, so the pipeline takes nothing from it",
            next_steps=["deploy the template again: it switches versioning on"],
        )
    source = Source(stack.landing_bucket, key, version, 0, clock.timestamp(put_at))  # its id asks for no size
    return Journey(source.source_id, key.rsplit("/", 1)[-1], put_at)


def follow(
    ledger: Ledger,
    journeys: list[Journey],
    console: output.Screen,
    timeout_seconds: float,
    goal: frozenset[Status] = ENDED,
) -> None:
    """Show the files' stages as they change until every file stands where it was to get.

    Raises:
        TimedOut: some do not by then.
    """
    changes = _changes(ledger, journeys, timeout_seconds, goal)
    if console.is_terminal and not console.quiet:
        with Live(_table(journeys), console=console, refresh_per_second=4, transient=True) as live:
            for _ in changes:
                live.update(_table(journeys))
    else:
        lines = _Lines(console, journeys)
        for changed in changes:
            lines.tell(changed)


def _changes(
    ledger: Ledger, journeys: list[Journey], timeout_seconds: float, goal: frozenset[Status]
) -> Iterator[list[Journey]]:
    """The files that have moved on, asked for again and again."""
    deadline = time.monotonic() + timeout_seconds
    while waiting := [journey for journey in journeys if not journey.has_reached(goal)]:
        if time.monotonic() > deadline:
            raise TimedOut(
                f"{display.plural(len(waiting), 'file')} did not come through in time; nothing is lost, "
                "the pipeline goes on without this command",
                details=[f"{each.name}: {_waits(each)}" for each in waiting[:10]],
                next_steps=["music-streams status --watch", f"music-streams show {waiting[0].source_id}"],
            )
        entries = ledger.entries(journey.source_id for journey in waiting)
        changed = []
        for journey in waiting:
            before, journey.entry = journey.entry, entries.get(journey.source_id, journey.entry)
            if journey.entry and _stand(before) != _stand(journey.entry):
                changed.append(journey)
        yield changed
        time.sleep(max(_POLL_SECONDS, len(waiting) / _ENTRIES_A_SECOND))


def _waits(journey: Journey) -> str:
    if journey.state != ASKED or journey.entry is None:
        return journey.state
    return f"{journey.entry.status} as before: its request waits in the queue, or validate left the file as it is"


def _stand(entry: Entry | None) -> tuple[int, str]:
    return (entry.attempt, entry.status) if entry else (0, "")


class _Lines:
    """Progress where nobody watches: a line a change where the files are few, and one at least every 10 s."""

    def __init__(self, console: output.Screen, journeys: list[Journey]) -> None:
        self._console = console
        self._journeys = journeys
        self._began = self._told = time.monotonic()

    def tell(self, changed: list[Journey]) -> None:
        now = time.monotonic()
        if len(self._journeys) <= _LINES_PER_FILE_UP_TO:
            for journey in changed:
                output.show(self._console, _line(journey))
                self._told = now
        if now - self._told >= output.PROGRESS_SECONDS:
            output.show(self._console, f"{now - self._began:6.1f} s  {summary(self._journeys)}")
            self._told = now


def summary(journeys: list[Journey]) -> str:
    """How many files there are in each state."""
    states = Counter(journey.state for journey in journeys)
    return f"{display.plural(len(journeys), 'file')}: " + ", ".join(f"{n:,} {state}" for state, n in states.items())


def _line(journey: Journey) -> str:
    entry = journey.entry
    assert entry  # noqa: S101 - a line is written when the ledger told something new
    seconds = journey.seconds_until(entry.updated_at)
    return f"{seconds:6.1f} s  {journey.name}  {entry.status} {entry.reason}".rstrip()


def _table(journeys: list[Journey]) -> Table:
    """The files, the open ones first where not all have room."""
    columns = ("file", "state", "rows", "rejected", "time")
    table = output.table(*columns, right=columns[2:], elastic="file")
    shown = sorted(journeys, key=lambda each: each.has_reached(ENDED)) if len(journeys) > _ROWS_SHOWN else journeys
    for journey in shown[:_ROWS_SHOWN]:
        entry = None if journey.state == ASKED else journey.entry  # what it says is of an earlier attempt
        has_ended = journey.has_reached(ENDED)
        until = journey.seconds_until(entry.updated_at) if entry and has_ended else None
        elapsed = (datetime.now(UTC) - journey.put_at).total_seconds() if until is None else until
        is_counted = entry and entry.rows_read and entry.status in SETTLED
        rejected = f"{sum(entry.rejected.values()):,}" if entry and is_counted else ""
        rows = f"{entry.rows_read:,}" if entry and is_counted else ""
        reason = entry.reason if entry else ""
        table.add_row(output.name(journey.name), state(journey.state, reason), rows, rejected, f"{elapsed:.1f} s")
    if len(shown) > _ROWS_SHOWN:
        table.caption, table.caption_justify = summary(journeys), "left"
    return table


def state(name: str, reason: str = "") -> Text:
    """A status and its reason as they are shown: the words tell all, the colour only helps."""
    return output.styled((name, STYLES.get(name, "cyan")), f" {reason}" if reason else "")
