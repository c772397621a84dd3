"""Makes programs run one call at a time."""

import sys
from typing import Any

import pytest

from music_streams.aws import slices
from music_streams.run import job_runs


@pytest.fixture(autouse=True)
def _one_call_at_a_time(monkeypatch):
    """Run the calls of thread pools sequentially, in small slices, without sleeping."""
    for module in [module for name, module in sys.modules.items() if name.startswith("music_streams")]:
        if hasattr(module, "ThreadPoolExecutor"):
            monkeypatch.setattr(module, "ThreadPoolExecutor", OneAfterAnother)
    monkeypatch.setattr(slices, "SLICE", 2)
    monkeypatch.setattr(job_runs, "_POLL_SECONDS", 0)


class OneAfterAnother:
    """Replaces ThreadPoolExecutor."""

    def __init__(self, _workers: int) -> None: ...

    def __enter__(self) -> "OneAfterAnother":
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Any, values: Any) -> list[Any]:
        return [function(value) for value in values]
