"""Songs files in force, and streams files with parked rows."""

from dataclasses import replace
from typing import Any

from music_streams.reconcile.lake import UNKNOWN_TRACK
from music_streams.reference.parsed import ParsedFiles
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from tests.integration.domain.stored_sources import move
from tests.integration.domain.world import LAKE, LANDING, RECEIVED_AT, World
from tests.integration.reconcile.contract import Row

KNOWN, OTHER, NEW = "K" * 22, "O" * 22, "N" * 22
"""Tracks: of the first songs version; of none; of the second songs version."""
ACCEPTED = {"validated_at": RECEIVED_AT, "first_published_at": RECEIVED_AT, "days": []}


def songs_csv(*tracks: str) -> bytes:
    """Return a songs file."""
    rows = [f"{track},name,artists,1000,pop" for track in tracks]
    return "\n".join(["track_id,track_name,artists,duration_ms,track_genre", *rows]).encode()


def put_songs(world: World, *tracks: str, bad: int = 0, is_parsed: bool = True, **attributes: Any) -> None:
    """Put a version of the songs file with these tracks and some bad rows, and parse it, as a run does."""
    source = world.upload(songs_csv(*tracks, *["?"] * bad), "reference/songs/songs.csv")
    world.s3.put_object(Bucket=LANDING, Key=source.kept_key("archive"), Body=b"a copy")
    world.put_entry(source, **({"status": Status.ARCHIVED} | ACCEPTED | attributes))
    if is_parsed:
        ParsedFiles(world.s3, LAKE).read(source)


def archived(world: World, received_at: str = RECEIVED_AT, **attributes: Any) -> Entry:
    """An archived streams file with parked rows."""
    source = replace(world.upload(key=attributes.pop("key", "")), received_at=received_at)
    execution_arn = world.execution_arn("b" * 32 + "-1")
    kept = {
        "archive_key": move(world, source, "archive"),
        "updated_at": received_at,
        "execution_arn": execution_arn,
    }
    defaults = {"status": Status.ARCHIVED, "rejected": {UNKNOWN_TRACK: 1}, "days": [], **kept}
    return world.put_entry(source, **(defaults | attributes))


def rejected(entry: Entry, raw: str = f"7,{NEW},2024-06-25 17:43:13", reason: str = UNKNOWN_TRACK) -> Row:
    """Return a row of `rejected_rows`."""
    source = entry.source
    return {"source_id": source.source_id, "reason": reason, "raw": raw, "received_at": source.received_at}
