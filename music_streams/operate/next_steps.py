"""The next steps for a file, as commands to run."""

import shlex
from dataclasses import dataclass

from music_streams import display
from music_streams.operate.files import STREAMS_PREFIX
from music_streams.stack import Stack
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry
from music_streams.state.statuses import IN_PROGRESS, Status
from music_streams.validation.file_verdicts import Verdict

_PARKED = "unknown_track"
_PUT_SONGS = "music-streams put SONGS.csv --reference songs"


@dataclass(frozen=True)
class NextStep:
    """A step as a sentence. The command is a field of its own, because a file's name in it may contain any text.

    Attributes:
        before: the text before the command.
        command: the command to copy; '' if no command helps.
        after: the text after it.
    """

    before: str
    command: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{self.command}{self.after}"


def parked_rows(entry: Entry) -> int:
    """Return how many of its rows are parked until a songs file contains their tracks."""
    return entry.rejected.get(_PARKED, 0)


def on_stack(stack: Stack, entry: Entry) -> list[NextStep]:
    """Return the :func:`next_steps` for a file of this stack, with its policy."""
    return next_steps(entry, is_local=stack.is_local, stall_seconds=stack.policy.stall_seconds)


def next_steps(entry: Entry, *, is_local: bool, stall_seconds: float) -> list[NextStep]:
    """Return the steps for the operator; empty if there is nothing to do.

    A file whose status has not changed for longer than `stall_seconds` may be stalled.
    """
    source_id = entry.source.source_id
    redrive = f"music-streams redrive {source_id}"
    if entry.status is Status.QUARANTINED:
        return [_put_again(entry), *_release(entry)]
    if entry.status is Status.FAILED and entry.reason == "no_reference_data":
        return [NextStep("put a songs file: ", _PUT_SONGS), NextStep("after that: ", redrive)]
    if entry.status is Status.FAILED and entry.reason == OBJECT_GONE:
        return [NextStep("the object was deleted before it was read; upload it again: ", "music-streams put FILE")]
    if entry.status is Status.FAILED and entry.reason == UNREADABLE:
        return [
            NextStep(
                "S3 does not return its bytes (archive storage class, or another encryption key): "
                "upload it again in storage class STANDARD, without SSE-C"
            ),
            NextStep("instead, restore the object; then: ", redrive),
        ]
    if entry.status is Status.FAILED:
        history = f"aws stepfunctions get-execution-history --execution-arn {entry.execution_arn}"
        return [
            NextStep(
                "log of the run: " if is_local else "full history: ",
                f"music-streams logs --file {source_id}" if is_local else history,
            ),
            NextStep("after fixing the cause: ", redrive),
        ]
    if entry.status in IN_PROGRESS:
        may_be_stalled = entry.has_been_unchanged_for(stall_seconds)
        retry = [NextStep("if its status does not change: ", redrive)] if may_be_stalled else []
        return [NextStep("", "music-streams status --watch"), *retry]
    if entry.status is Status.ARCHIVED and entry.is_retracted:
        return [NextStep(f"if its status is not RETRACTED after {display.span(stall_seconds)}: ", redrive)]
    if entry.status is Status.ARCHIVED and parked_rows(entry):
        parked = f"{parked_rows(entry):,} rows are parked until their songs arrive: "
        replay = "after that, Airflow replays the file; to replay it at once: "
        return [NextStep(parked, _PUT_SONGS), NextStep(replay, f"music-streams replay {source_id}")]
    return []


def _put_again(entry: Entry) -> NextStep:
    source = entry.source
    if not source.key.isprintable():  # A displayed name would differ from the real one.
        return NextStep("upload a fixed file under a name without control characters")
    name = shlex.quote(source.key.removeprefix(STREAMS_PREFIX))
    to = f"--reference {source.kind}" if source.kind.is_reference else f"--key {name}"
    return NextStep("upload a fixed file: ", f"music-streams put FIXED.csv {to}")


def _release(entry: Entry) -> list[NextStep]:
    release = f"music-streams quarantine release {entry.source.source_id}"
    if entry.reason == Verdict.TOO_MANY_DAYS:
        return [NextStep("instead, if its listen times are correct: ", release)]
    if entry.reason == Verdict.TOO_MANY_BAD_ROWS:
        return [NextStep("instead, if its valid rows are enough: ", release)]
    return [NextStep("instead, after fixing the cause: ", release)] if entry.reason == Verdict.TOO_MANY_ATTEMPTS else []
