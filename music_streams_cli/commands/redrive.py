"""`music-streams redrive`: continue stalled files and retry failed files."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from music_streams import display
from music_streams.reconcile.stalled import StalledFinder, StalledSource, StallReason
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import options, search
from music_streams_cli.file_operations import FileOperation, FileRequest, Skipped
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command

_GONE = "the object was deleted. If it is needed, upload it again"
_UNREADABLE = "S3 does not return its bytes: restore it from its storage class, or upload it again without SSE-C"

_IDLE = (
    "Skip files that changed more recently, unless they failed. With less than the default, a file may be listed that "
    "validate is still processing; the request then has no effect."
)


@command(
    "redrive",
    "Continue stalled files and retry failed files.",
    "music-streams redrive --dry-run",
    "music-streams redrive",
    "music-streams redrive streams_2024-06-25.csv",
    "music-streams redrive --limit 10 --yes",
)
@with_common_options()
def redrive(
    common: CommonOptions,
    sources: options.SomeSources = None,
    limit: Annotated[int | None, options.unset("N", "Maximum number of files.", min=1)] = None,
    idle: Annotated[float | None, options.unset("SECONDS", _IDLE, min=0, show_default=options.STALL)] = None,
) -> None:
    """Continue stalled files and retry failed files: all of them, or the files named.

    Lost S3 events are sent again, incomplete steps are completed, failed files run in a new attempt. A file whose
    second or a later attempt failed runs in a batch of its own. Files that are being processed are skipped.

    Exit code: 0 all continued, or none is stalled; 1 some failed, were quarantined or cannot be redriven, or you
    answered no; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    stack = find_stack(common.stack_name)
    idle = stack.policy.stall_seconds if idle is None else idle
    finder = StalledFinder(stack.s3, stack.ledger, stack.executions, stack.landing_bucket, idle)
    requests, skipped = _named(stack, finder, sources) if sources else _all(finder, limit)
    notes = [f"limited by --limit {limit}: there may be more files"] if limit and len(requests) == limit else []
    carry_out(FileOperation("redrive", stack, requests[:limit], skipped, "no file is stalled or failed", notes), common)


def _all(finder: StalledFinder, limit: int | None) -> tuple[list[FileRequest], list[Skipped]]:
    requests = [_request(stalled) for stalled in islice(finder.find(), limit)]
    return requests, [Skipped(entry.source, _GONE) for entry in finder.gone()]


def _named(stack: Stack, finder: StalledFinder, texts: Sequence[str]) -> tuple[list[FileRequest], list[Skipped]]:
    requests: dict[str, FileRequest] = {}
    skipped: dict[str, Skipped] = {}
    for text in texts:
        landed = None if search.find_entries(stack, text, loosely=False) else search.find_landed(stack, text)
        if landed:
            if stalled := finder.of_unknown(landed):
                requests[landed.source_id] = _request(stalled)
            else:
                skipped[landed.source_id] = Skipped(
                    landed, f"it landed {_ago(landed.received_at)} and is not processed yet"
                )
            continue
        for entry in search.choose(stack, [text], lambda entry: finder.of(entry) is not None):
            if stalled := finder.of(entry):
                requests[entry.source.source_id] = _request(stalled)
            else:
                skipped[entry.source.source_id] = _skipped(finder, entry)
    return list(requests.values()), list(skipped.values())


def _request(stalled: StalledSource) -> FileRequest:
    detail = stalled.entry.reason if stalled.entry and stalled.reason is StallReason.FAILED else ""
    return FileRequest(stalled.source, stalled.message, stalled.reason, detail, stalled.entry, stalled.attempt)


def _skipped(finder: StalledFinder, entry: Entry) -> Skipped:
    if finder.is_gone(entry):
        return Skipped(entry.source, _GONE, is_problem=True)
    if finder.is_unreadable(entry):
        return Skipped(entry.source, _UNREADABLE, is_problem=True)
    if entry.status is Status.QUARANTINED:
        release = f"music-streams quarantine release {entry.source.source_id[:8]}"
        return Skipped(entry.source, f"it is quarantined ({entry.reason}): upload a fixed file, or {release}")
    if entry.status in {Status.ARCHIVED, Status.RETRACTED}:
        return Skipped(entry.source, f"it is {entry.status}")
    changed = f"it is {entry.status}, changed {_ago(entry.updated_at)}"
    return Skipped(entry.source, f"{changed}: its execution is running or is about to start")


def _ago(timestamp: str) -> str:
    return f"{display.span(display.age(timestamp))} ago"
