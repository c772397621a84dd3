"""Each event file is given to its function's real handler, which may do what its role grants and nothing else."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.events.arrange import Scene
from tests.events.cases import CASES, Case
from tests.events.handlers import FUNCTIONS, invoke
from tests.events.make import EVENTS, contents
from tests.events.stage import environment_of
from tests.functions import ROOT
from tests.permissions.acting import Acts, acting
from tests.permissions.statements import unused
from tests.template import role_statements

BY_PATH = {case.path: case for case in CASES}
# What a role grants and no event file makes its function use, with the reason.
BY_SNS = dict.fromkeys(
    ("kms:GenerateDataKey on AlertsKey", "kms:Decrypt on AlertsKey"),
    "SNS uses the key of the topic in the name of who publishes",
)
GONE = "an object that is gone must be answered 404, not 403: tests/integration/domain"
NO_VERSION = "every source has a version; kept until a run on AWS shows that reading one asks for no right to its key"
STOPS = "the runs of an execution that is over: tests/integration/domain/test_job_runs.py"
UNSEEN: dict[str, dict[str, str]] = {
    "ArchiveRole": {
        "s3:GetObject on LandingBucket/incoming/*": NO_VERSION,
        "s3:GetObject on LandingBucket/reference/*": NO_VERSION,
        "s3:ListBucket on LandingBucket": GONE,
        "s3:ListBucketVersions on LandingBucket": GONE,
    },
    "EraseRole": BY_SNS
    | {
        "s3:AbortMultipartUpload on LandingBucket/archive/*, LandingBucket/quarantine/*": "an upload that fails",
        "s3:DeleteObject on LakeBucket/runs/*": "staged copies of past runs: tests/integration/domain/test_erasure.py",
        "s3:ListBucket on LandingBucket": GONE,
    },
    "RecordFailureRole": BY_SNS
    | {
        "glue:BatchStopJobRun on job/TransformJob, job/LoadJob": STOPS,
        "sqs:SendMessage on FailuresDeadLetterQueue": "Lambda, which keeps what failed three times",
    },
    "SettleRole": BY_SNS
    | {
        "s3:GetObject on LandingBucket/incoming/*": NO_VERSION,
        "s3:ListBucket on LandingBucket": GONE,
        "s3:ListBucketVersions on LandingBucket": GONE,
    },
    "ValidateRole": BY_SNS
    | {
        "glue:BatchStopJobRun on job/TransformJob, job/LoadJob": STOPS,
        "s3:DeleteObject on LandingBucket/archive/*, LandingBucket/quarantine/*": "moves of kept files",
        "s3:GetObject on LandingBucket/incoming/*, LandingBucket/reference/*": NO_VERSION,
        "s3:ListBucketVersions on LandingBucket": GONE,
        "sqs:ReceiveMessage on ArrivalsQueue": "Lambda, which takes messages in the function's name",
        "sqs:DeleteMessage on ArrivalsQueue": "the same",
        "sqs:GetQueueAttributes on ArrivalsQueue": "the same",
        "sqs:ChangeMessageVisibility on ArrivalsQueue": "messages that were not begun: test_given_back.py",
    },
}


def test_the_event_files_are_up_to_date():
    found = {str(path.relative_to(EVENTS)): path.read_text("utf-8") for path in EVENTS.rglob("*") if path.is_file()}
    assert found == contents(), "run `python -m tests.events.make`"


def test_every_function_has_events():
    handlers = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {case.function for case in CASES} == handlers


@dataclass(frozen=True)
class Took:
    """What became of an event."""

    answer: Any
    acts: Acts
    statuses: dict[str, Any]


@pytest.fixture(scope="module")
def take(physical, template) -> Callable[[Case], Took]:
    """Gives a case's event to its function, once."""
    logical_ids = {name: logical_id for logical_id, name in physical.items()}

    @cache
    def taken(path: str) -> Took:
        case = BY_PATH[path]
        function = FUNCTIONS[case.function]
        scene = Scene(case, physical["FilesTable"])
        event = scene.event()
        with acting(role_statements(template, function.role), logical_ids) as acts:
            answer = invoke(function, environment_of(function.environment, physical), event)
        return Took(json.loads(json.dumps(answer)), acts, scene.statuses())

    return lambda case: taken(case.path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_the_function_processes_the_event_with_the_permissions_of_its_role(case, take):
    took = take(case)
    assert took.acts.refused == []
    assert took.acts.granted
    assert took.answer == case.answer
    assert took.statuses == case.after


@pytest.mark.parametrize("folder", sorted(FUNCTIONS))
def test_a_role_grants_nothing_that_its_function_does_not_use(folder, take, template):
    needs = [need for case in CASES if case.function == folder for need in take(case).acts.granted]
    role = FUNCTIONS[folder].role
    # Logs are written by the runtime, not by the SDK.
    spare = {each for each in unused(role_statements(template, role), needs) if not each.startswith("logs:")}
    assert spare == UNSEEN.get(role, {}).keys()
