"""The fixtures: JSON files under fixtures/."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"


def path_of(name: str) -> Path:
    """Return the file of a fixture."""
    return FIXTURES / f"{name}.json"


def read(name: str) -> dict[str, Any]:
    """Read a fixture."""
    content: dict[str, Any] = json.loads(path_of(name).read_text(encoding="utf-8"))
    return content


def names() -> set[str]:
    """Return the names of all fixtures."""
    return {path.relative_to(FIXTURES).with_suffix("").as_posix() for path in FIXTURES.rglob("*.json")}
