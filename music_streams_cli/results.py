"""How files ended, as every command that waits for them says it."""

from collections import Counter
from collections.abc import Iterable

from rich.console import RenderableType

from music_streams.operate import next_steps
from music_streams.operate.files import reason_of
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import journey, output

TROUBLE = frozenset({Status.QUARANTINED, Status.FAILED})


def has_rows(entry: Entry) -> bool:
    """Whether its rows were counted; those of reference data are not, and those of a retracted file no more."""
    if entry.source.kind.is_reference or entry.status is Status.RETRACTED:
        return False
    return bool(entry.rows_read or entry.published_at)


def numbers(entry: Entry) -> list[str]:
    """Rows read, accepted and rejected; blank where they were not counted."""
    found = (entry.rows_read, entry.rows_accepted, sum(entry.rejected.values()))
    return [f"{number:,}" if has_rows(entry) else "" for number in found]


def rejected(entries: Iterable[Entry]) -> Counter[str]:
    """Rejected rows of all the files by reason."""
    counts = Counter[str]()
    for entry in entries:
        counts.update(entry.rejected)
    return counts


def trouble(stack: Stack, entry: Entry) -> list[RenderableType]:
    """Why a file was put aside, and what to do next."""
    reason = reason_of(stack, entry)
    detail = f": {reason['detail']}" if reason else ""
    steps = [
        *([reason["what_to_do"]] if reason else []),
        *next_steps.on_stack(stack, entry),
        f"all about it: music-streams show {entry.source.source_id}",
    ]
    return [
        "",
        output.styled(journey.state(entry.status), f" {entry.source.key}: {entry.reason}{detail}"),
        *(f"  next: {step}" for step in steps),
    ]
