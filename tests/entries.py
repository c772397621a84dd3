"""Ledger entries for tests."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import Status


def entry_item(source: Source, **attributes: Any) -> dict[str, Any]:
    """Return the ledger's item of a source at its first attempt, updated with `attributes`."""
    return {"source_id": source.source_id, **asdict(source), "attempt": 1, **attributes}


def all_published(source_ids: Iterable[str]) -> dict[str, Entry]:
    """Return an entry of a published file for any source_id, as if the ledger had one."""
    at = "2026-11-21T21:03:30.000Z"
    source = Source("landing", "reference/songs/any.csv", "v", 1, at)
    entry = Entry(source, Status.ARCHIVED, at, 1, validated_at=at, first_published_at=at)
    return dict.fromkeys(source_ids, entry)
