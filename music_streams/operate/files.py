"""Files, as the ledger and the bucket have them."""

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
_REASON_IS_DAMAGED = "the ledger still has the verdict; inspect the file itself for the detail"


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON, with the ledger's attribute names."""
    flat = asdict(entry)
    return {"source_id": entry.source.source_id, **flat.pop("source"), **flat}


def ended_at(entry: Entry) -> str:
    """Return the timestamp at which it was published, failed or was quarantined; '' if it is in flight."""
    if entry.status in IN_PROGRESS and not entry.published_at:
        return ""
    return entry.published_at or entry.updated_at


def reason_of(stack: Stack, entry: Entry) -> dict[str, Any] | None:
    """Return the reason.json beside a quarantined file; None if there is none, or it cannot be read."""
    if entry.status is not Status.QUARANTINED:
        return None
    # The reason is under quarantine/ even if the file is not.
    kept = entry.archive_key or entry.source.kept_key("quarantine")
    key = object_keys.reason_key(kept)
    return find_sound_json(stack.s3, entry.source.bucket, key, _reason, _REASON_IS_DAMAGED)


def _reason(raw: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(raw[name], str) for name in ("verdict", "detail", "what_to_do")):
        raise TypeError
    return raw


def landed(stack: Stack, known: Set[str] = frozenset()) -> Iterator[Source]:
    """Yield the landed object versions that are neither in the ledger nor `known` to be: their events are in flight."""
    listed = inventory.landed(stack.s3, stack.landing_bucket)
    unknown = (source for source in listed if source.source_id not in known)
    return (source for source, entry in inventory.with_entries(stack.ledger, unknown) if entry is None)
