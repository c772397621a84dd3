"""Golden files: expected output, kept beside the tests. UPDATE_GOLDEN=1 rewrites them; review the diff."""

import os
import re
import unicodedata
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compare a text with its golden file, whose name is made from letters, digits and hyphens of the command line."""
    ascii_name = unicodedata.normalize("NFKD", path.name).encode("ascii", "ignore").decode()
    path = path.with_name(re.sub(r"[^\w.]+", "-", ascii_name))
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if the change is intended: UPDATE_GOLDEN=1"
