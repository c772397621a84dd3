"""Writes the event files: ``python -m tests.events.make``."""

import json
import shutil
from pathlib import Path

from tests.events.cases import CASES

EVENTS = Path(__file__).parents[2] / "events"


def contents() -> dict[str, str]:
    """Return the text of every event file, by its path below events/."""
    return {case.path: json.dumps(case.event, ensure_ascii=False, indent=2) + "\n" for case in CASES}


def main() -> None:
    """Write all event files and delete others."""
    shutil.rmtree(EVENTS, ignore_errors=True)
    for path, text in contents().items():
        file = EVENTS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
