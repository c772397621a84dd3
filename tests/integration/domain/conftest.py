"""AWS in the test's own process: moto, with the buckets and tables of the template and nothing else."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.integration.domain.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One for the tests of a module: each works on keys and days of its own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        environment.delenv("AWS_PROFILE", raising=False)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        with mock_aws():
            yield World()
