"""AWS in this process with what the functions work on."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from moto.server import ThreadedMotoServer

from checks.translate import translated
from local.aws import ACCOUNT, CREDENTIALS, Aws
from local.deployment import Deployment
from local.resources import Stack
from local.template import parameter_values, translate
from tests.events.stage import stage_template
from tests.functions import ROOT


@pytest.fixture(scope="module")
def physical() -> Iterator[dict[str, str]]:
    """The names or ARNs of its resources, by logical id."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("AWS_PROFILE", raising=False)
            environment.setenv("AWS_ENDPOINT_URL", endpoint)
            environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
            for name, value in CREDENTIALS.items():
                environment.setenv(name, value)
            template = stage_template()
            given = {"ArtifactsBucket": "artifacts", "JobsVersion": "0" * 12}
            parameters = parameter_values(template["Parameters"], given)
            stack = Stack(Aws(endpoint, "us-east-1"), "music-streams", ACCOUNT)
            yield Deployment(translate(template, parameters, "us-east-1"), parameters, stack).run()
            requests.post(f"{endpoint}/moto-api/reset", timeout=10)  # what it holds outlives it
    finally:
        server.stop()


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return translated(ROOT / "template.yaml")
