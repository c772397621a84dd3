"""`music-streams quarantine`: what was put aside and why, and how it gets out."""

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
from music_streams.validation.verdicts import Validation, Verdict, validate
from music_streams_cli import options, output, search
from music_streams_cli.moves import Move, Moves, Skipped, another_attempt, divided
from music_streams_cli.operation import How, carry_out, operating
from music_streams_cli.registry import command, group

# Verdicts of files that are released as they are, and what an operator is to know of them.
_NOT_JUDGED_AGAIN = {
    Verdict.TOO_MANY_BAD_ROWS: "the good rows of a file will count, however many are bad",
    Verdict.TOO_MANY_DAYS: "all days of a file are recomputed, however many they are",
    Verdict.TOO_LARGE: "a file stays where it is, unless MaxFileBytes was raised",
}

quarantine = group(
    "quarantine",
    "Files that were put aside.",
    "What was put aside and why, and how it gets out.",
    "music-streams quarantine list",
    "music-streams quarantine release streams_2024-06-25.csv",
)


@command("list", "Files, verdicts, what to do.", "music-streams quarantine list --limit 100", within=quarantine)
def list_(limit: options.FilesListed = 20, as_json: options.Json = False, stack_name: options.StackName = None) -> None:
    """List the files in quarantine, the last put aside first: verdict, what was wrong, what to do."""
    stack = find_stack(stack_name)
    found = list(islice(stack.ledger.with_status(Status.QUARANTINED), limit + 1))
    told = [_told(stack, entry) for entry in found[:limit]]
    if as_json:
        output.show_json(told)
        return
    console = output.stdout()
    if not told:
        output.show(console, "no file is in quarantine")
    for entry, each in zip(found[:limit], told, strict=True):
        ago = display.span(display.age(entry.updated_at))
        output.show(console, output.styled((entry.reason, "yellow"), f" {entry.source.key}  {ago} ago"))
        for line in (each["detail"], *(f"next: {step}" for step in each["next"])):
            output.show(console, f"  {line}")
    if len(found) > limit:
        output.show(console, "", f"next: there are more: music-streams quarantine list --limit {10 * limit}")


def _told(stack: Stack, entry: Entry) -> dict[str, Any]:
    reason = files.reason_of(stack, entry) or {}
    steps = [str(step) for step in next_steps.on_stack(stack, entry)]
    what_to_do = [reason["what_to_do"]] if "what_to_do" in reason else []
    return {**files.as_json(entry), "detail": reason.get("detail", ""), "next": [*what_to_do, *steps]}


@command(
    "release",
    "Run files all the same.",
    "music-streams quarantine release streams_2024-06-25.csv --dry-run",
    "music-streams quarantine release 3f2a91c0     the beginning of a source_id",
    within=quarantine,
)
@operating()
def release(how: How, sources: options.Sources) -> None:
    """Run files of the quarantine: their good rows count then, however many are bad.

    A file that has too many days counts with all of them. One that was put aside for another reason is judged again
    first, and stays where it is if it still cannot be read. Reference files cannot be released: put them again, mended.

    Exit code: 0 all ran; 1 some stay, or failed; 2 wrong usage; 3 no pipeline; 4 time-out.
    """
    stack = find_stack(how.stack_name)
    entries = search.choose(stack, sources, lambda entry: entry.status is Status.QUARANTINED)
    moves, left = divided(entries, partial(_why_not, stack), _released)
    reasons = {move.why for move in moves}
    notes = [f"{verdict}: {note}" for verdict, note in _NOT_JUDGED_AGAIN.items() if verdict in reasons]
    carry_out(Moves("quarantine release", stack, moves, left, "nothing to release", notes), how)


def _released(entry: Entry) -> Move:
    rows = f"{entry.rows_read:,} rows read, {sum(entry.rejected.values()):,} rejected" if entry.rows_read else ""
    return another_attempt(entry, Action.RELEASE, entry.reason, rows)


def _why_not(stack: Stack, entry: Entry) -> Skipped | None:
    """Why a file stays; None where it can run, or where only the pipeline can tell."""
    source = entry.source
    if entry.status is not Status.QUARANTINED:
        return Skipped(source, f"it is not in quarantine but {entry.status}")
    if source.kind.is_reference:
        again = f"music-streams put FILE --reference {source.kind}"
        return Skipped(source, f"runs read reference data where they land: mend it, then {again}", is_trouble=True)
    if not objects.exists(stack.s3, entry.place):
        return Skipped(source, f"its copy was deleted: {entry.place.uri}", is_trouble=True)
    if entry.reason in _NOT_JUDGED_AGAIN:
        return None
    found = _judged(stack, entry)
    if found.verdict and found.verdict is not Verdict.TOO_SLOW:
        return Skipped(source, f"it is still {found.verdict}: {found.detail}", is_trouble=True)
    return None


def _judged(stack: Stack, entry: Entry) -> Validation:
    """The file as validate would judge it, whatever its size, as far as there is time to read it here."""
    until = time.monotonic() + policy.RELEASE_CHECK_SECONDS
    content = objects.chunks(stack.s3, entry.place)
    return validate(entry.source.key, content, sys.maxsize, lambda: time.monotonic() < until)
