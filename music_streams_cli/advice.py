"""What to do next about a file, as a command to run."""

import shlex

from music_streams.ledger import Entry, Status
from music_streams_cli.files import STREAMS_PREFIX


def next_steps(entry: Entry, *, is_local: bool) -> list[str]:
    """Commands for the operator; empty where nothing is to be done."""
    source_id = entry.source.source_id
    if entry.status is Status.QUARANTINED:
        source = entry.source
        name = shlex.quote(source.key.removeprefix(STREAMS_PREFIX))
        to = f"--reference {source.kind}" if source.kind.is_reference else f"--key {name}"
        return [f"mend the file, then: music-streams put FILE {to}"]
    if entry.status is Status.FAILED and entry.reason == "no_reference_data":
        return ["bring a songs file: music-streams put SONGS.csv --reference songs; then put the streams again"]
    if entry.status is Status.FAILED and entry.reason == "object_gone":
        return ["upload it again: music-streams put FILE; it was deleted before it was read"]
    if entry.status is Status.FAILED:
        history = f"aws stepfunctions get-execution-history --execution-arn {entry.execution_arn}"
        return [f"see why: music-streams logs --file {source_id}" if is_local else f"see why: {history}"]
    if entry.status in {Status.RECEIVED, Status.VALID, Status.RUNNING}:
        return ["music-streams status --watch"]
    return []
