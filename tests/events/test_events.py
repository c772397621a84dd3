"""Each event file is given to its function's real handler, which may do what its role grants and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from checks.translate import translated
from local.aws import ACCOUNT, CREDENTIALS, Aws
from local.deployment import Deployment
from local.resources import Stack
from local.template import parameter_values, translate
from tests.events.arrange import Scene
from tests.events.cases import CASES
from tests.events.handlers import invoke
from tests.events.make import EVENTS, contents
from tests.events.stage import environment_of, stage_template
from tests.functions import ROOT, all_functions
from tests.permissions.acting import acting
from tests.template import role_statements

FUNCTIONS = {function.folder: function for function in all_functions()}


@pytest.fixture(scope="module")
def physical() -> Iterator[dict[str, str]]:
    """AWS in this process with what the functions work on; the resources' names or ARNs by logical id."""
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
    finally:
        server.stop()


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return translated(ROOT / "template.yaml")


def test_the_files_are_as_they_are_made():
    found = {str(path.relative_to(EVENTS)): path.read_text("utf-8") for path in EVENTS.rglob("*") if path.is_file()}
    assert found == contents(), "run `python -m tests.events.make`"


def test_every_function_has_events():
    handlers = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {case.function for case in CASES} == handlers


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_the_function_takes_the_event_with_what_its_role_grants(case, physical, template):
    function = FUNCTIONS[case.function]
    scene = Scene(case, physical["FilesTable"])
    event = scene.event()
    environment = environment_of(function.environment, physical)
    logical_ids = {name: logical_id for logical_id, name in physical.items()}
    with acting(role_statements(template, function.role), logical_ids) as acts:
        answer = json.loads(json.dumps(invoke(function, environment, event)))
    assert acts.refused == []
    assert acts.granted
    assert answer == case.answer
    assert scene.statuses() == case.after
