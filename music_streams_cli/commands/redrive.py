"""`music-streams redrive`: what stands still goes on."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from music_streams import display
from music_streams.reconcile.stalled import Repairs, StalledSource, StallReason
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import options, search
from music_streams_cli.moves import Move, Moves, Skipped
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command

_GONE = "gone for good: its object was deleted; put the file again if it is needed"

_UNREADABLE = "S3 does not give its bytes: restore it from its archive class, or put it again without a key of its own"

_IDLE = (
    "What moved less than that ago is left alone, unless it failed. Less than the default may ask for what validate "
    "still holds, and change nothing."
)


@command(
    "redrive",
    "Move on what failed or stands still.",
    "music-streams redrive --dry-run",
    "music-streams redrive",
    "music-streams redrive streams_2024-06-25.csv",
    "music-streams redrive --limit 10 --yes",
)
@operating()
def redrive(
    how: How,
    sources: options.SomeSources = None,
    limit: Annotated[int | None, options.unset("N", "Files to move at most.", min=1)] = None,
    idle: Annotated[float | None, options.unset("SECONDS", _IDLE, min=0, show_default=options.STALL)] = None,
) -> None:
    """Move on what failed or stands still: all of it, or the files named.

    Lost events are sent again, half-done work is completed, failed files run in a new attempt. A file that fails
    again and again runs alone. What moves by itself is left alone.

    Exit code: 0 all went on, or nothing stands still; 1 some failed or were quarantined; 2 wrong usage; 3 no
    pipeline; 4 time-out.
    """
    stack = find_stack(how.stack_name)
    idle = stack.policy.stall_seconds if idle is None else idle
    repairs = Repairs(stack.s3, stack.ledger, stack.executions, stack.landing_bucket, idle)
    moves, left = _named(stack, repairs, sources) if sources else _all(repairs, limit)
    notes = [f"these are the first {limit}: there may be more"] if limit and len(moves) == limit else []
    carry_out(Moves("redrive", stack, moves[:limit], left, "nothing stands still", notes), how)


def _all(repairs: Repairs, limit: int | None) -> tuple[list[Move], list[Skipped]]:
    moves = [_move(found) for found in islice(repairs.find(), limit)]
    return moves, [Skipped(entry.source, _GONE) for entry in repairs.gone()]


def _named(stack: Stack, repairs: Repairs, texts: Sequence[str]) -> tuple[list[Move], list[Skipped]]:
    moves: dict[str, Move] = {}
    left: dict[str, Skipped] = {}
    for text in texts:
        landed = None if search.find_entries(stack, text, loosely=False) else search.find_landed(stack, text)
        if landed:
            if found := repairs.of_unknown(landed):
                moves[landed.source_id] = _move(found)
            else:
                left[landed.source_id] = Skipped(landed, "it has just landed: its event is on the way")
            continue
        for entry in search.choose(stack, [text], lambda entry: repairs.of(entry) is not None):
            if found := repairs.of(entry):
                moves[entry.source.source_id] = _move(found)
            else:
                left[entry.source.source_id] = _left(repairs, entry)
    return list(moves.values()), list(left.values())


def _move(found: StalledSource) -> Move:
    detail = found.entry.reason if found.entry and found.reason is StallReason.FAILED else ""
    return Move(found.source, found.message, found.reason, detail, found.entry, found.attempt)


def _left(repairs: Repairs, entry: Entry) -> Skipped:
    if repairs.is_gone(entry):
        return Skipped(entry.source, _GONE, is_trouble=True)
    if repairs.is_unreadable(entry):
        return Skipped(entry.source, _UNREADABLE, is_trouble=True)
    if entry.status is Status.QUARANTINED:
        release = f"music-streams quarantine release {entry.source.source_id[:8]}"
        return Skipped(entry.source, f"it is quarantined ({entry.reason}): put it again mended, or {release}")
    if entry.status in {Status.ARCHIVED, Status.RETRACTED}:
        return Skipped(entry.source, f"it is {entry.status}")
    ago = display.span(display.age(entry.updated_at))
    return Skipped(
        entry.source, f"it is {entry.status} and moved {ago} ago: its execution is at work, or it has just begun"
    )
