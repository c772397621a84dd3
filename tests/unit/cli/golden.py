"""Golden files: what people read, kept beside the tests. UPDATE_GOLDEN=1 writes them anew; look at the difference."""

import os
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compare a text with its golden file."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if it is meant: UPDATE_GOLDEN=1"
