"""AWS in the test's own process: moto, with the buckets and tables of the template and nothing else."""

import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from local.moto_patches import objects, tables
from music_streams.run import job_runs
from tests.integration.domain.world import World


@functools.cache
def _mend_moto() -> None:
    """Once in a process, of what makes moto slow; right it is without patches too, where nothing runs at once."""
    objects.list_versions_without_content()
    tables.answer_values_by_their_type()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One for the tests of a module: each works on keys and days of its own."""
    _mend_moto()
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        environment.delenv("AWS_PROFILE", raising=False)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        environment.setattr(job_runs, "_POLL_SECONDS", 0)
        environment.setattr(BotocoreStubber, "__call__", _one_at_a_time(BotocoreStubber.__call__))
        with mock_aws():
            yield World()


def _one_at_a_time(answer: Any) -> Any:
    """Make each request atomic, as AWS promises of it and moto does not where threads ask."""
    lock = threading.RLock()

    def answer_alone(*arguments: Any, **options: Any) -> Any:
        with lock:
            return answer(*arguments, **options)

    return answer_alone
