"""Ledger entries for tests."""

from dataclasses import asdict
from typing import Any

from music_streams.state.sources import Source


def entry_item(source: Source, **attributes: Any) -> dict[str, Any]:
    """Return the ledger's item of a source at its first attempt, updated with `attributes`."""
    return {"source_id": source.source_id, **asdict(source), "attempt": 1, **attributes}
