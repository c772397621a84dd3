"""Files in flight: upload them, follow them in the ledger, show their statuses."""

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
SETTLED = ENDED | {Status.PUBLISHED}  # published: at most the move to the archive is left
STYLES: Mapping[str, str] = {
    Status.ARCHIVED: "green",
    Status.PUBLISHED: "green",
    Status.QUARANTINED: "yellow",
    Status.FAILED: "bold red",
    Status.RETRACTED: "dim",
}
LANDED = "LANDED"  # in the bucket, and not in the ledger yet
REQUESTED = "REQUESTED"  # a new attempt was requested and has not begun
_POLL_SECONDS = 0.3
_ENTRIES_A_SECOND = 500  # the most that are read, so that polling takes no capacity from the pipeline
_ROWS_SHOWN = 20
_LINES_PER_FILE_UP_TO = 12  # files; with more, a line per change would flood a log


@dataclass
class Journey:
    """One file, followed from its PUT or from a request.

    Attributes:
        entry: its ledger entry; None until it is received.
        attempt: the first attempt that counts; the status of an earlier one is not the awaited result.
    """

    source_id: str
    name: str
    put_at: datetime
    entry: Entry | None = None
    attempt: int = 1

    @property
    def shown_status(self) -> str:
        """Return its status, `LANDED` or `REQUESTED`."""
        if self.entry is None:
            return LANDED
        return REQUESTED if self.entry.attempt < self.attempt and self.entry.status in ENDED else self.entry.status

    def has_reached(self, goal: frozenset[Status]) -> bool:
        """Return whether the awaited attempt has reached a status of the goal."""
        if self.entry is None or self.entry.attempt < self.attempt:
            return False
        is_half_retracted = self.entry.status is Status.ARCHIVED and self.entry.is_retracted
        return self.entry.status in goal and not is_half_retracted

    def seconds_until(self, timestamp: str) -> float | None:
        """Return the seconds from the PUT to a timestamp of the ledger; None if it is empty."""
        return (clock.parse(timestamp) - self.put_at).total_seconds() if timestamp else None


def put(stack: Stack, key: str, body: bytes | IO[bytes] | Path) -> Journey:
    """Upload one file to the landing bucket. Raises NoCloud if the bucket is not versioned."""
    if isinstance(body, Path):
        with body.open("rb") as file:
            return put(stack, key, file)
    put_at = datetime.now(UTC)
    version = stack.s3.put_object(Bucket=stack.landing_bucket, Key=key, Body=body).get("VersionId")
    if not version:
        raise NoCloud(
            f"the bucket {stack.landing_bucket} is not versioned, so the pipeline processes none of its files",
            next_steps=["deploy the template again: it enables versioning"],
        )
    source = Source(
        stack.landing_bucket, key, version, 0, clock.timestamp(put_at)
    )  # the id does not depend on the size
    return Journey(source.source_id, key.rsplit("/", 1)[-1], put_at)


def follow(
    ledger: Ledger,
    journeys: list[Journey],
    console: output.Screen,
    timeout_seconds: float,
    goal: frozenset[Status] = ENDED,
) -> None:
    """Show the files' statuses as they change until all have reached the goal. Raises TimedOut if one has not."""
    changes = _changes(ledger, journeys, timeout_seconds, goal)
    if console.is_terminal and not console.quiet:
        with Live(_table(journeys), console=console, refresh_per_second=4, transient=True) as live:
            for _ in changes:
                live.update(_table(journeys))
    else:
        lines = _Lines(console, journeys)
        for changed in changes:
            lines.report(changed)


def _changes(
    ledger: Ledger, journeys: list[Journey], timeout_seconds: float, goal: frozenset[Status]
) -> Iterator[list[Journey]]:
    """Poll the ledger and yield the files whose status or attempt changed."""
    deadline = time.monotonic() + timeout_seconds
    while waiting := [journey for journey in journeys if not journey.has_reached(goal)]:
        if time.monotonic() > deadline:
            raise TimedOut(
                f"timeout: {display.plural(len(waiting), 'file')} not finished after {timeout_seconds:g} s; "
                "the pipeline continues, only this command has stopped waiting",
                details=[f"{journey.name}: {_awaited(journey)}" for journey in waiting[:10]],
                next_steps=["music-streams status --watch", f"music-streams show {waiting[0].source_id}"],
            )
        entries = ledger.entries(journey.source_id for journey in waiting)
        changed = []
        for journey in waiting:
            before, journey.entry = journey.entry, entries.get(journey.source_id, journey.entry)
            if journey.entry and _position(before) != _position(journey.entry):
                changed.append(journey)
        yield changed
        time.sleep(max(_POLL_SECONDS, len(waiting) / _ENTRIES_A_SECOND))


def _awaited(journey: Journey) -> str:
    if journey.shown_status != REQUESTED or journey.entry is None:
        return journey.shown_status
    return f"still {journey.entry.status}: its request is still queued, or validate ignored it: see its log"


def _position(entry: Entry | None) -> tuple[int, str]:
    return (entry.attempt, entry.status) if entry else (0, "")


class _Lines:
    """Progress if the output is not a terminal: a line per change if there are few files, at least one every 10 s."""

    def __init__(self, console: output.Screen, journeys: list[Journey]) -> None:
        self._console = console
        self._journeys = journeys
        self._began = self._reported_at = time.monotonic()

    def report(self, changed: list[Journey]) -> None:
        now = time.monotonic()
        if len(self._journeys) <= _LINES_PER_FILE_UP_TO:
            for journey in changed:
                output.show(self._console, _line(journey))
                self._reported_at = now
        if now - self._reported_at >= output.PROGRESS_SECONDS:
            output.show(self._console, f"{now - self._began:6.1f} s  {summary(self._journeys)}")
            self._reported_at = now


def summary(journeys: list[Journey]) -> str:
    """Return the number of files with each status."""
    counts = Counter(journey.shown_status for journey in journeys)
    return f"{display.plural(len(journeys), 'file')}: " + ", ".join(f"{n:,} {status}" for status, n in counts.items())


def _line(journey: Journey) -> str:
    entry = journey.entry
    assert entry  # noqa: S101 - a line is written when the entry has changed
    seconds = journey.seconds_until(entry.updated_at)
    return f"{seconds:6.1f} s  {journey.name}  {entry.status} {entry.reason}".rstrip()


def _table(journeys: list[Journey]) -> Table:
    """Return a table of the files; if not all fit, those in flight come first."""
    columns = ("file", "status", "rows", "rejected", "time")
    table = output.table(*columns, right=columns[2:], elastic="file")
    shown = (
        sorted(journeys, key=lambda journey: journey.has_reached(ENDED)) if len(journeys) > _ROWS_SHOWN else journeys
    )
    for journey in shown[:_ROWS_SHOWN]:
        entry = None if journey.shown_status == REQUESTED else journey.entry  # the entry is about an earlier attempt
        has_ended = journey.has_reached(ENDED)
        until = journey.seconds_until(entry.updated_at) if entry and has_ended else None
        elapsed = (datetime.now(UTC) - journey.put_at).total_seconds() if until is None else until
        is_counted = entry and entry.rows_read and entry.status in SETTLED
        rejected = f"{sum(entry.rejected.values()):,}" if entry and is_counted else ""
        rows = f"{entry.rows_read:,}" if entry and is_counted else ""
        reason = entry.reason if entry else ""
        status = styled_status(journey.shown_status, reason)
        table.add_row(output.name(journey.name), status, rows, rejected, f"{elapsed:.1f} s")
    if len(shown) > _ROWS_SHOWN:
        table.caption, table.caption_justify = summary(journeys), "left"
    return table


def styled_status(status: str, reason: str = "") -> Text:
    """Return a status and its reason, styled; the colour adds no information."""
    return output.styled((status, STYLES.get(status, "cyan")), f" {reason}" if reason else "")
