"""What to do next about a file, as a command to run."""

import shlex

from music_streams.operate.files import STREAMS_PREFIX
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry
from music_streams.state.statuses import IN_PROGRESS, Status
from music_streams.validation.verdicts import Verdict

_PARKED = "unknown_track"
_PUT_SONGS = "music-streams put SONGS.csv --reference songs"


def parked_rows(entry: Entry) -> int:
    """How many of its rows wait for songs that no songs file has."""
    return entry.rejected.get(_PARKED, 0)


def next_steps(entry: Entry, *, is_local: bool, stall_seconds: float) -> list[str]:
    """Commands for the operator; empty where nothing is to be done.

    Args:
        entry: what the ledger says of the file.
        is_local: whether the pipeline runs on the local cloud.
        stall_seconds: a file that did not move for longer may be stalled.
    """
    source_id = entry.source.source_id
    if entry.status is Status.QUARANTINED:
        return [_put_again(entry), *_release(entry)]
    if entry.status is Status.FAILED and entry.reason == "no_reference_data":
        return [f"bring a songs file: {_PUT_SONGS}; then music-streams redrive {source_id}"]
    if entry.status is Status.FAILED and entry.reason == OBJECT_GONE:
        return ["upload it again: music-streams put FILE; it was deleted before it was read"]
    if entry.status is Status.FAILED and entry.reason == UNREADABLE:
        return [
            "S3 does not give its bytes (archived, or under a key of its own): upload it again as STANDARD, no key",
            f"or, once S3 gives them: music-streams redrive {source_id}",
        ]
    if entry.status is Status.FAILED:
        history = f"aws stepfunctions get-execution-history --execution-arn {entry.execution_arn}"
        return [
            f"see why: music-streams logs --file {source_id}" if is_local else f"see why: {history}",
            f"once the cause is mended: music-streams redrive {source_id}",
        ]
    if entry.status in IN_PROGRESS:
        stands_still = entry.is_older_than(stall_seconds)
        again = [f"where its execution does not go on: music-streams redrive {source_id}"] if stands_still else []
        return ["music-streams status --watch", *again]
    if entry.status is Status.ARCHIVED and entry.is_retracted:
        return [f"where it does not become RETRACTED by itself: music-streams redrive {source_id}"]
    if entry.status is Status.ARCHIVED and parked_rows(entry):
        wait = f"{parked_rows(entry):,} rows wait for their songs"
        return [f"{wait}: {_PUT_SONGS}; then music-streams replay {source_id}"]
    return []


def _put_again(entry: Entry) -> str:
    source = entry.source
    if not source.key.isprintable():  # shown, its name would be another one
        return "mend the file and put it again, under a name that can be typed"
    name = shlex.quote(source.key.removeprefix(STREAMS_PREFIX))
    to = f"--reference {source.kind}" if source.kind.is_reference else f"--key {name}"
    return f"mend the file, then: music-streams put FILE {to}"


def _release(entry: Entry) -> list[str]:
    release = f"music-streams quarantine release {entry.source.source_id}"
    if entry.reason == Verdict.TOO_MANY_DAYS:
        return [f"or, where its listen_time column is right: {release}"]
    if entry.reason == Verdict.TOO_MANY_BAD_ROWS:
        return [f"or count its good rows as they are: {release}"]
    return [f"or, once the cause is mended: {release}"] if entry.reason == Verdict.TOO_MANY_ATTEMPTS else []
