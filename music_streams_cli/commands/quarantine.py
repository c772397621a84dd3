"""`music-streams quarantine`: list and release quarantined files."""

import sys
import time
from functools import partial
from itertools import islice
from typing import Any

from music_streams import display, policy
from music_streams.aws import objects
from music_streams.operate import files, next_steps
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Validation, Verdict, validate
from music_streams_cli import options, output, search
from music_streams_cli.file_operations import FileOperation, FileRequest, Skipped, new_attempt_request, split
from music_streams_cli.operation import CommonOptions, carry_out, with_common_options
from music_streams_cli.registry import command, group

# Verdicts after which a file is released without another validation here, and the note for the operator.
_NOT_VALIDATED_AGAIN = {
    Verdict.TOO_MANY_BAD_ROWS: "the valid rows of the file are used; MaxRejectedRatio does not apply",
    Verdict.TOO_MANY_DAYS: "all days of the file are recomputed; neither MaxDaysPerFile nor MaxRejectedRatio applies",
    Verdict.TOO_LARGE: "the file stays quarantined, unless MaxFileBytes was raised",
}

quarantine = group(
    "quarantine",
    "List or release quarantined files.",
    "List or release quarantined files.",
    "music-streams quarantine list",
    "music-streams quarantine release streams_2024-06-25.csv",
)


@command(
    "list", "List quarantined files and what to do.", "music-streams quarantine list --limit 100", within=quarantine
)
def list_(limit: options.FilesListed = 20, as_json: options.Json = False, stack_name: options.StackName = None) -> None:
    """List the quarantined files, the latest first: verdict, detail, what to do."""
    stack = find_stack(stack_name)
    entries = list(islice(stack.ledger.with_status(Status.QUARANTINED), limit + 1))
    listed = [(entry, files.reason_of(stack, entry) or {}) for entry in entries[:limit]]
    if as_json:
        output.show_json([_as_json(stack, entry, reason) for entry, reason in listed])
        return
    console = output.stdout()
    if not listed:
        output.show(console, "no file is quarantined")
    for entry, reason in listed:
        ago = display.span(display.age(entry.updated_at))
        output.show(console, output.styled((entry.reason, "yellow"), f" {entry.source.key}  {ago} ago"))
        if reason:
            output.show(console, f"  {reason['detail']}", f"  what to do: {reason['what_to_do']}")
        output.show(console, *(f"  next: {step}" for step in next_steps.on_stack(stack, entry)))
    if len(entries) > limit:
        output.show(console, "", f"next: for more files: music-streams quarantine list --limit {10 * limit}")


def _as_json(stack: Stack, entry: Entry, reason: dict[str, Any]) -> dict[str, Any]:
    steps = [str(step) for step in next_steps.on_stack(stack, entry)]
    what_to_do = [reason["what_to_do"]] if "what_to_do" in reason else []
    return {**files.as_json(entry), "detail": reason.get("detail", ""), "next": [*what_to_do, *steps]}


@command(
    "release",
    "Process quarantined files again.",
    "music-streams quarantine release streams_2024-06-25.csv --dry-run",
    "music-streams quarantine release 3f2a91c0     the beginning of a source_id",
    within=quarantine,
)
@with_common_options()
def release(common: CommonOptions, sources: options.Sources) -> None:
    """Process quarantined files again in spite of their verdict.

    After too_many_bad_rows, the valid rows are used. After too_many_days, all days are published. After another
    verdict, a file is validated again, and stays quarantined if it is still invalid.

    Exit code: 0 all were processed; 1 some files are still quarantined, or failed; 2 wrong usage; 3 no pipeline;
    4 timeout.
    """
    stack = find_stack(common.stack_name)
    entries = search.choose(stack, sources, lambda entry: entry.status is Status.QUARANTINED)
    requests, skipped = split(entries, partial(_why_not, stack), _released)
    reasons = {request.why for request in requests}
    notes = [f"{verdict}: {note}" for verdict, note in _NOT_VALIDATED_AGAIN.items() if verdict in reasons]
    carry_out(FileOperation("quarantine release", stack, requests, skipped, "nothing to release", notes), common)


def _released(entry: Entry) -> FileRequest:
    rows = f"{entry.rows_read:,} rows read, {sum(entry.rejected.values()):,} rejected" if entry.rows_read else ""
    return new_attempt_request(entry, Action.RELEASE, entry.reason, rows)


def _why_not(stack: Stack, entry: Entry) -> Skipped | None:
    """Return why a file stays; None if it can run, or if only the pipeline can find out."""
    source = entry.source
    if entry.status is not Status.QUARANTINED:
        return Skipped(source, f"it is {entry.status}, not QUARANTINED")
    if source.kind.is_reference and not entry.stays_at_landing_key:
        again = f"music-streams put FIXED.csv --reference {source.kind}"
        return Skipped(source, f"runs read it only at its landing key; upload a fixed file: {again}", is_problem=True)
    if not objects.exists(stack.s3, entry.place):
        return Skipped(source, f"its copy was deleted: {entry.place.uri}", is_problem=True)
    if entry.reason in _NOT_VALIDATED_AGAIN:
        return None
    validation = _validated(stack, entry)
    if validation.verdict and validation.verdict is not Verdict.TOO_SLOW:
        return Skipped(source, f"it is still {validation.verdict}: {validation.detail}", is_problem=True)
    return None


def _validated(stack: Stack, entry: Entry) -> Validation:
    """Validate the file as the pipeline does, whatever its size, for RELEASE_CHECK_SECONDS at most."""
    until = time.monotonic() + policy.RELEASE_CHECK_SECONDS
    content = objects.read_chunks(stack.s3, entry.place)
    return validate(entry.source.key, content, sys.maxsize, lambda: time.monotonic() < until)
