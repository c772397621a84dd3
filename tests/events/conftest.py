"""AWS in this process, with the resources that the functions use."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests

from checks.translate import translated
from local.aws import ACCOUNT, Aws
from local.deployment import Deployment
from local.resources import Stack
from local.template import parameter_values, translate
from local.web import plain_moto
from tests.events.stage import stage_template
from tests.functions import ROOT


@pytest.fixture(scope="module")
def physical() -> Iterator[dict[str, str]]:
    """The physical ids of the template's resources, by logical id."""
    with plain_moto() as (endpoint, credentials), pytest.MonkeyPatch.context() as environment:
        environment.setattr(boto3, "DEFAULT_SESSION", None)  # It caches the credentials of another module.
        environment.delenv("AWS_PROFILE", raising=False)
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name, value in credentials.environment.items():
            environment.setenv(name, value)
        template = stage_template()
        given = {"ArtifactsBucket": "artifacts", "JobsVersion": "0" * 12}
        parameters = parameter_values(template["Parameters"], given)
        stack = Stack(Aws(endpoint, "us-east-1", credentials), "music-streams", ACCOUNT)
        yield Deployment(translate(template, parameters, "us-east-1"), parameters, stack).run()
        # The resources would stay in moto otherwise.
        key = {"Authorization": credentials.authorization}
        requests.post(f"{endpoint}/moto-api/reset", headers=key, timeout=10).raise_for_status()


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return translated(ROOT / "template.yaml")
