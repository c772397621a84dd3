"""The results of files, for the commands that wait for them."""

from collections import Counter
from collections.abc import Iterable

from rich.console import RenderableType

from music_streams.operate import next_steps
from music_streams.operate.files import reason_of
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import journey, output

UNSUCCESSFUL = frozenset({Status.QUARANTINED, Status.FAILED})


def has_rows(entry: Entry) -> bool:
    """Return whether its rows were counted; those of retracted files are removed."""
    return entry.status is not Status.RETRACTED and bool(entry.rows_read or entry.published_at)


def numbers(entry: Entry) -> list[str]:
    """Return the rows read, accepted and rejected; blank if they were not counted."""
    counts = (entry.rows_read, entry.rows_accepted, sum(entry.rejected.values()))
    return [f"{number:,}" if has_rows(entry) else "" for number in counts]


def rejected(entries: Iterable[Entry]) -> Counter[str]:
    """Return the rejected rows of all files by reason."""
    counts = Counter[str]()
    for entry in entries:
        counts.update(entry.rejected)
    return counts


def problem(stack: Stack, entry: Entry) -> list[RenderableType]:
    """Return why a file failed or was quarantined, and what to do next."""
    reason = reason_of(stack, entry)
    detail = f": {reason['detail']}" if reason else ""
    steps = [
        *next_steps.on_stack(stack, entry),
        f"for details: music-streams show {entry.source.source_id}",
    ]
    return [
        "",
        output.styled(journey.styled_status(entry.status), f" {entry.source.key}: {entry.reason}{detail}"),
        *([f"  what to do: {reason['what_to_do']}"] if reason else []),
        *(f"  next: {step}" for step in steps),
    ]
