"""Each handler processes its event files with the permissions of its role and no others."""

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
# Permissions of a role that no event file makes its function use, with the reason.
BY_SNS = dict.fromkeys(
    ("kms:GenerateDataKey on AlertsKey", "kms:Decrypt on AlertsKey"),
    "SNS uses the key of the topic with the permissions of the publisher",
)
GONE = "S3 answers 404 instead of 403 for a missing object only with this permission: tests/integration/domain"
NO_VERSION = "every source has a version; kept until a run on AWS shows that reading a version does not need it"
STOPS = "job runs of an ended execution: tests/integration/domain/test_job_runs.py"
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
        "sqs:SendMessage on FailuresDeadLetterQueue": "used by Lambda for events that failed three times",
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
        "sqs:ReceiveMessage on ArrivalsQueue": "used by Lambda to receive messages for the function",
        "sqs:DeleteMessage on ArrivalsQueue": "the same",
        "sqs:GetQueueAttributes on ArrivalsQueue": "the same",
        "sqs:ChangeMessageVisibility on ArrivalsQueue": "messages that were not begun: test_given_back.py",
    },
}


def test_the_event_files_are_up_to_date():
    texts = {str(path.relative_to(EVENTS)): path.read_text("utf-8") for path in EVENTS.rglob("*") if path.is_file()}
    assert texts == contents(), "run `python -m tests.events.make`"


def test_every_function_has_events():
    handlers = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {case.function for case in CASES} == handlers


@dataclass(frozen=True)
class Result:
    """The result of an invocation."""

    answer: Any
    acts: Acts
    statuses: dict[str, Any]


@pytest.fixture(scope="module")
def run_case(physical, template) -> Callable[[Case], Result]:
    """Invokes the function of a case with its event, once for each case."""
    logical_ids = {name: logical_id for logical_id, name in physical.items()}

    @cache
    def result(path: str) -> Result:
        case = BY_PATH[path]
        function = FUNCTIONS[case.function]
        scene = Scene(case, physical["FilesTable"])
        event = scene.event()
        with acting(role_statements(template, function.role), logical_ids) as acts:
            answer = invoke(function, environment_of(function.environment, physical), event)
        return Result(json.loads(json.dumps(answer)), acts, scene.statuses())

    return lambda case: result(case.path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_the_function_processes_the_event_with_the_permissions_of_its_role(case, run_case):
    result = run_case(case)
    assert result.acts.refused == []
    assert result.acts.granted
    assert result.answer == case.answer
    assert result.statuses == case.after


@pytest.mark.parametrize("folder", sorted(FUNCTIONS))
def test_a_role_grants_nothing_that_its_function_does_not_use(folder, run_case, template):
    needs = [need for case in CASES if case.function == folder for need in run_case(case).acts.granted]
    role = FUNCTIONS[folder].role
    # The runtime writes the logs, not the SDK.
    spare = {each for each in unused(role_statements(template, role), needs) if not each.startswith("logs:")}
    assert spare == UNSEEN.get(role, {}).keys()
