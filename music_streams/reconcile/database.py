"""A DuckDB database in a temporary folder, so that memory does not grow with the number of rows."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY_LIMIT = "512MB"  # more data goes to disk


@contextmanager
def temporary_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database, which is deleted after the block."""
    with TemporaryDirectory(prefix="reconcile-") as folder:
        settings = {
            "memory_limit": _MEMORY_LIMIT,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,  # No access to the network.
        }
        with duckdb.connect(Path(folder) / "rows.duckdb", config=settings) as database:
            yield database
