"""`music-streams retract`: a file's rows leave lake and metrics."""

from functools import partial

from music_streams import display
from music_streams.aws import objects
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import options, search
from music_streams_cli.moves import Moves, Skipped, another_attempt, divided
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command


@command(
    "retract",
    "Take a file's rows out of the metrics.",
    "music-streams retract streams_2024-06-25.csv --dry-run",
    "music-streams retract streams_2024-06-25.csv",
    "music-streams retract 3f2a91c0 --yes     the beginning of a source_id",
)
@operating()
def retract(how: How, sources: options.Sources) -> None:
    """Take the rows of files out of lake and metrics; their days are recomputed.

    The files themselves stay in the archive. An event that another file has too stays counted. There is no way back
    but to put the file again.

    Off a terminal it needs --yes.

    Exit code: 0 all are retracted; 1 some are not; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    stack = find_stack(how.stack_name)
    why_not = partial(_why_not, stack)
    entries = search.choose(stack, sources, lambda entry: why_not(entry) is None)
    moves, left = divided(entries, why_not, lambda e: another_attempt(e, Action.RETRACT, "leaves", _rows(e)))
    leaving = [move.entry for move in moves if move.entry]
    days = sorted({day for entry in leaving for day in entry.days})
    notes = [
        f"rows that leave: {sum(entry.rows_accepted for entry in leaving):,}",
        f"days that are recomputed: {display.days(days) or 'none that the ledger knows'}",
        "the files stay in the archive; to count one again, put it again",
    ]

    def closing(ended: list[Entry]) -> list[str]:
        recomputed = sorted({day for entry in ended if entry.status is Status.RETRACTED for day in entry.days})
        return [f"days recomputed: {display.days(recomputed) or 'none'}"]

    carry_out(Moves("retract", stack, moves, left, "nothing to retract", notes, closing, is_destructive=True), how)


def _rows(entry: Entry) -> str:
    if not entry.days:
        return "what a failed run may have committed of it"
    return f"{display.plural(entry.rows_accepted, 'row')} of {display.days(entry.days)}"


def _why_not(stack: Stack, entry: Entry) -> Skipped | None:
    """Why a file is left alone; None where it can be retracted."""
    source = entry.source
    if source.kind.is_reference:
        return Skipped(source, f"reference data have no listens; what runs read is {source.uri}", is_trouble=True)
    if entry.status is Status.RETRACTED:
        return Skipped(source, "it is RETRACTED")
    if entry.status is Status.QUARANTINED:
        return Skipped(source, "it is QUARANTINED: none of its rows counts")
    if entry.status is Status.ARCHIVED and entry.is_retracted:
        return Skipped(source, "its rows have left; if the ledger does not say so soon: music-streams redrive")
    if entry.status is Status.FAILED and not entry.days and not objects.exists(stack.s3, entry.place):
        return Skipped(source, "its object was deleted before it was read: none of its rows counts")
    if entry.status not in {Status.ARCHIVED, Status.FAILED}:
        return Skipped(source, f"it is {entry.status}, on its way: wait until it is ARCHIVED", is_trouble=True)
    return None
