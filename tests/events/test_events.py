"""Each event file is given to its function's real handler, which may do what its role grants and nothing else."""

import json

import pytest

from tests.events.arrange import Scene
from tests.events.cases import CASES
from tests.events.handlers import invoke
from tests.events.make import EVENTS, contents
from tests.events.stage import environment_of
from tests.functions import ROOT, all_functions
from tests.permissions.acting import acting
from tests.template import role_statements

FUNCTIONS = {function.folder: function for function in all_functions()}


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
