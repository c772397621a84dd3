"""Golden files: what people read, kept beside the tests. UPDATE_GOLDEN=1 writes them again; look at the difference."""

import os
import re
import unicodedata
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compare a text with its golden file; a command's line as a name becomes letters, digits and hyphens."""
    ascii_name = unicodedata.normalize("NFKD", path.name).encode("ascii", "ignore").decode()
    path = path.with_name(re.sub(r"[^\w.]+", "-", ascii_name))
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if it is meant: UPDATE_GOLDEN=1"
