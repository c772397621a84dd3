"""`music-streams retract`: remove a file's rows from lake and metrics."""

from functools import partial

from music_streams import display
from music_streams.aws import objects
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import options, search
from music_streams_cli.file_operations import FileOperation, Skipped, new_attempt_request, split
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command


@command(
    "retract",
    "Remove a file's rows from the metrics.",
    "music-streams retract streams_2024-06-25.csv --dry-run",
    "music-streams retract streams_2024-06-25.csv",
    "music-streams retract 3f2a91c0 --yes     the beginning of a source_id",
)
@with_common_options()
def retract(common: CommonOptions, sources: options.Sources) -> None:
    """Remove the rows of files from lake and metrics; their days are recomputed.

    The files themselves stay in the archive. An event that another file contains too is still counted. To publish a
    file again, upload it again.

    Without a terminal, --yes is required.

    Exit code: 0 all are retracted; 1 some files are not retracted; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    stack = find_stack(common.stack_name)
    why_not = partial(_why_not, stack)
    entries = search.choose(stack, sources, lambda entry: why_not(entry) is None)
    requests, skipped = split(entries, why_not, lambda e: new_attempt_request(e, Action.RETRACT, "requested", _rows(e)))
    retracted = [request.entry for request in requests if request.entry]
    days = sorted({day for entry in retracted for day in entry.days})
    notes = [
        f"rows to delete: {sum(entry.rows_accepted for entry in retracted):,}",
        f"days to recompute: {display.days(days) or 'none in the ledger'}",
        "the files stay in the archive; to publish one again, upload it again",
    ]

    def closing(ended: list[Entry]) -> list[str]:
        recomputed = sorted({day for entry in ended if entry.status is Status.RETRACTED for day in entry.days})
        return [f"days recomputed: {display.days(recomputed) or 'none'}"]

    nothing = "nothing to retract"
    carry_out(FileOperation("retract", stack, requests, skipped, nothing, notes, closing, is_destructive=True), common)


def _rows(entry: Entry) -> str:
    if not entry.days:
        return "rows that a failed run may have committed"
    return f"{display.plural(entry.rows_accepted, 'row')} of {display.days(entry.days)}"


def _why_not(stack: Stack, entry: Entry) -> Skipped | None:
    """Return why a file is skipped; None if it can be retracted."""
    source = entry.source
    if source.kind.is_reference:
        return Skipped(source, f"reference data have no listens; runs read {source.uri}", is_problem=True)
    if entry.status is Status.RETRACTED:
        return Skipped(source, "it is RETRACTED")
    if entry.status is Status.QUARANTINED:
        return Skipped(source, "it is QUARANTINED: none of its rows is published")
    if entry.status is Status.ARCHIVED and entry.is_retracted:
        wait = display.span(stack.policy.stall_seconds)
        return Skipped(
            source, f"its rows are deleted; if its status is not RETRACTED after {wait}: music-streams redrive"
        )
    if entry.status is Status.FAILED and not entry.days and not objects.exists(stack.s3, entry.place):
        return Skipped(source, "its object was deleted before it was read: none of its rows is published")
    if entry.status not in {Status.ARCHIVED, Status.FAILED}:
        return Skipped(source, f"it is {entry.status}, in flight: wait until it is ARCHIVED", is_problem=True)
    return None
