"""The contract with consumers as JSON Schema 2020-12: the items of MetricsTable and the event.

* ``metrics_item``: an item of MetricsTable as plain JSON, one definition for each kind;
* ``metrics_published``: the detail of the event `MetricsPublished`.

Tests compare music_streams.reader, docs/consumers.md and the pipeline's output with them. Attributes may be added; none
is renamed, removed or given another meaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return the schema ``metrics_item`` or ``metrics_published``."""
    content: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.schema.json").read_text(encoding="utf-8"))
    return content
