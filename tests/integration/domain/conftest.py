"""AWS in the test's process: moto, with the buckets and tables of the template."""

import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber

from local.moto_patches import objects, tables
from music_streams.run import job_runs
from tests.aws import aws_in_process
from tests.integration.domain.world import World


@functools.cache
def _speed_up_moto() -> None:
    """Apply the patches that make moto faster, once in a process."""
    objects.list_versions_without_content()
    tables.answer_values_by_their_type()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world for all tests of a module, each of which uses keys and days of its own."""
    _speed_up_moto()
    with aws_in_process() as patch:
        patch.setattr(job_runs, "_POLL_SECONDS", 0)
        patch.setattr(BotocoreStubber, "__call__", _one_at_a_time(BotocoreStubber.__call__))
        yield World()


def _one_at_a_time(answer: Any) -> Any:
    """Make each request atomic, as AWS does; moto does not if several threads call it."""
    lock = threading.RLock()

    def answer_exclusively(*arguments: Any, **options: Any) -> Any:
        with lock:
            return answer(*arguments, **options)

    return answer_exclusively
