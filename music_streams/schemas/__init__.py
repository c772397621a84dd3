"""The contract with consumers as JSON Schema 2020-12: what stands in MetricsTable, what the event says.

* ``metrics_item``: an item of MetricsTable as plain JSON, one definition a kind;
* ``metrics_published``: the detail of the event `MetricsPublished`.

They are the source: tests hold music_streams.reader, docs/consumers.md and what the pipeline really writes against
them. Attributes may be added; none is renamed, removed or given another meaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """The schema ``metrics_item`` or ``metrics_published``."""
    content: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.schema.json").read_text(encoding="utf-8"))
    return content
