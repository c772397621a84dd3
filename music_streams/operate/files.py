"""Files as the ledger and the bucket know them."""

from collections.abc import Iterator, Set
from dataclasses import asdict
from typing import Any

from music_streams.aws.json_objects import find_sound_json
from music_streams.reconcile import inventory
from music_streams.stack import Stack
from music_streams.state import object_keys
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import IN_PROGRESS, Status

STREAMS_PREFIX = "incoming/"
_REASON_IS_DAMAGED = "the ledger keeps the verdict; what was wrong in detail, only the file itself tells now"


def as_json(entry: Entry) -> dict[str, Any]:
    """An entry with the ledger's attribute names."""
    flat = asdict(entry)
    return {"source_id": entry.source.source_id, **flat.pop("source"), **flat}


def ended_at(entry: Entry) -> str:
    """The stamp at which its metrics stood, or at which it was put aside; '' where it is still on its way."""
    if entry.status in IN_PROGRESS and not entry.published_at:
        return ""
    return entry.published_at or entry.updated_at


def reason_of(stack: Stack, entry: Entry) -> dict[str, Any] | None:
    """The reason.json beside a quarantined file; None where there is none, or none that can be read."""
    if entry.status is not Status.QUARANTINED:
        return None
    kept = entry.archive_key or entry.source.kept_key("quarantine")  # the reason lies there though the file does not
    key = object_keys.reason_key(kept)
    return find_sound_json(stack.s3, entry.source.bucket, key, _reason, _REASON_IS_DAMAGED)


def _reason(raw: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(raw[name], str) for name in ("verdict", "detail", "what_to_do")):
        raise TypeError
    return raw


def landed(stack: Stack, known: Set[str] = frozenset()) -> Iterator[Source]:
    """Object versions that the ledger does not know yet, as they are asked for: their events are on the way.

    Args:
        stack: where to look.
        known: source_ids that have an entry and need no look.
    """
    listed = inventory.landed(stack.s3, stack.landing_bucket)
    doubtful = (source for source in listed if source.source_id not in known)
    return (source for source, entry in inventory.with_entries(stack.ledger, doubtful) if entry is None)
