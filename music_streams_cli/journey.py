"""Files on their way through the pipeline: put them, follow them in the ledger, show where they are."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from music_streams import clock
from music_streams.ledger import Entry, Ledger, Status
from music_streams.sources import Source
from music_streams_cli.stack import Stack

ENDED = {Status.ARCHIVED, Status.QUARANTINED, Status.FAILED, Status.RETRACTED}
_POLL_SECONDS = 0.3
_COLOURS = {Status.ARCHIVED: "green", Status.PUBLISHED: "green", Status.QUARANTINED: "yellow", Status.FAILED: "red"}


class TimedOut(Exception):
    """Not every file came to its end in time."""


@dataclass
class Journey:
    """One file since its PUT; `entry` is what the ledger says of it, None until it is received."""

    source_id: str
    name: str
    put_at: datetime
    entry: Entry | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.entry is not None and self.entry.status in ENDED

    def seconds_until(self, stamp: str) -> float | None:
        """Seconds from the PUT to a stamp of the ledger; None where it has none yet."""
        return (clock.parse(stamp) - self.put_at).total_seconds() if stamp else None


def put(stack: Stack, key: str, body: bytes) -> Journey:
    """Put one file into the landing bucket."""
    put_at = datetime.now(UTC)
    version = stack.s3.put_object(Bucket=stack.landing_bucket, Key=key, Body=body)["VersionId"]
    source = Source(stack.landing_bucket, key, version, len(body), clock.stamp(put_at))
    return Journey(source.source_id, key.rsplit("/", 1)[-1], put_at)


def follow(ledger: Ledger, journeys: list[Journey], console: Console, timeout_seconds: float) -> None:
    """Show the files' stages as they change until every file has come to its end.

    Raises:
        TimedOut: some have not by then.
    """
    deadline = time.monotonic() + timeout_seconds
    if console.is_terminal:
        with Live(_table(journeys), console=console, refresh_per_second=4) as live:
            _poll(ledger, journeys, deadline, lambda _: live.update(_table(journeys)))
    else:
        _poll(ledger, journeys, deadline, lambda changed: console.print(_line(changed)))


def _poll(ledger: Ledger, journeys: list[Journey], deadline: float, show: Callable[[Journey], None]) -> None:
    while waiting := [journey for journey in journeys if not journey.has_ended]:
        if time.monotonic() > deadline:
            raise TimedOut("these files have not come to their end: " + ", ".join(each.name for each in waiting))
        for journey in waiting:
            before, journey.entry = journey.entry, ledger.entry(journey.source_id)
            if journey.entry and (before is None or before.status is not journey.entry.status):
                show(journey)
        time.sleep(_POLL_SECONDS)


def _table(journeys: list[Journey]) -> Table:
    table = Table("file", "stage", "rows read", "accepted", "rejected", "validated", "published", "archived", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for journey in journeys:
        entry = journey.entry
        if entry is None:
            table.add_row(journey.name, "landed")
            continue
        has_counts = entry.rows_read > 0 or entry.published_at
        counts = [entry.rows_read, entry.rows_accepted, sum(entry.rejected.values())] if has_counts else ["", "", ""]
        times = [journey.seconds_until(at) for at in (entry.validated_at, entry.published_at, entry.archived_at)]
        colour = _COLOURS.get(entry.status, "cyan")
        stage = f"[{colour}]{entry.status}[/{colour}]" + (f" {entry.reason}" if entry.reason else "")
        table.add_row(journey.name, stage, *map(str, counts), *(f"{t:.1f} s" if t is not None else "" for t in times))
    return table


def _line(journey: Journey) -> str:
    entry = journey.entry
    assert entry  # noqa: S101 - a line is written when the ledger told something new
    seconds = journey.seconds_until(entry.updated_at)
    return f"{seconds:6.1f} s  {journey.name}  {entry.status} {entry.reason}".rstrip()
