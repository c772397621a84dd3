"""What to do next about a file, as a command to run."""

import shlex
from dataclasses import dataclass

from music_streams.operate.files import STREAMS_PREFIX
from music_streams.stack import Stack
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry
from music_streams.state.statuses import IN_PROGRESS, Status
from music_streams.validation.verdicts import Verdict

_PARKED = "unknown_track"
_PUT_SONGS = "music-streams put SONGS.csv --reference songs"


@dataclass(frozen=True)
class NextStep:
    """What helps, as a sentence; the command in it is kept apart, because a file's name in it may hold any text.

    Attributes:
        before: the words before the command.
        command: what to copy; '' where no command helps.
        after: the words after it.
    """

    before: str
    command: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{self.command}{self.after}"


def parked_rows(entry: Entry) -> int:
    """How many of its rows wait for songs that no songs file has."""
    return entry.rejected.get(_PARKED, 0)


def on_stack(stack: Stack, entry: Entry) -> list[NextStep]:
    """The :func:`next_steps` about a file of a deployed pipeline."""
    return next_steps(entry, is_local=stack.is_local, stall_seconds=stack.policy.stall_seconds)


def next_steps(entry: Entry, *, is_local: bool, stall_seconds: float) -> list[NextStep]:
    """Steps for the operator; empty where nothing is to be done.

    Args:
        entry: what the ledger says of the file.
        is_local: whether the pipeline runs on the local cloud.
        stall_seconds: a file that did not move for longer may be stalled.
    """
    source_id = entry.source.source_id
    redrive = f"music-streams redrive {source_id}"
    if entry.status is Status.QUARANTINED:
        return [_put_again(entry), *_release(entry)]
    if entry.status is Status.FAILED and entry.reason == "no_reference_data":
        return [NextStep("bring a songs file: ", _PUT_SONGS, f"; then {redrive}")]
    if entry.status is Status.FAILED and entry.reason == OBJECT_GONE:
        return [NextStep("upload it again: ", "music-streams put FILE", "; it was deleted before it was read")]
    if entry.status is Status.FAILED and entry.reason == UNREADABLE:
        return [
            NextStep(
                "S3 does not give its bytes (archived, or under a key of its own): upload it again as STANDARD, no key"
            ),
            NextStep("or, once S3 gives them: ", redrive),
        ]
    if entry.status is Status.FAILED:
        history = f"aws stepfunctions get-execution-history --execution-arn {entry.execution_arn}"
        return [
            NextStep("see why: ", f"music-streams logs --file {source_id}" if is_local else history),
            NextStep("once the cause is mended: ", redrive),
        ]
    if entry.status in IN_PROGRESS:
        stands_still = entry.is_older_than(stall_seconds)
        again = [NextStep("where its execution does not go on: ", redrive)] if stands_still else []
        return [NextStep("", "music-streams status --watch"), *again]
    if entry.status is Status.ARCHIVED and entry.is_retracted:
        return [NextStep("where it does not become RETRACTED by itself: ", redrive)]
    if entry.status is Status.ARCHIVED and parked_rows(entry):
        wait = f"{parked_rows(entry):,} rows wait for their songs"
        return [NextStep(f"{wait}: ", _PUT_SONGS, f"; then music-streams replay {source_id}")]
    return []


def _put_again(entry: Entry) -> NextStep:
    source = entry.source
    if not source.key.isprintable():  # shown, its name would be another one
        return NextStep("mend the file and put it again, under a name that can be typed")
    name = shlex.quote(source.key.removeprefix(STREAMS_PREFIX))
    to = f"--reference {source.kind}" if source.kind.is_reference else f"--key {name}"
    return NextStep("mend the file, then: ", f"music-streams put FILE {to}")


def _release(entry: Entry) -> list[NextStep]:
    release = f"music-streams quarantine release {entry.source.source_id}"
    if entry.reason == Verdict.TOO_MANY_DAYS:
        return [NextStep("or, where its listen_time column is right: ", release)]
    if entry.reason == Verdict.TOO_MANY_BAD_ROWS:
        return [NextStep("or count its good rows as they are: ", release)]
    return [NextStep("or, once the cause is mended: ", release)] if entry.reason == Verdict.TOO_MANY_ATTEMPTS else []
