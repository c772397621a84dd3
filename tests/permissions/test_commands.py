"""Each command, and each AWS CLI command in the runbooks, makes only calls that its documented policies grant.

The commands run through their entry point with ``--stack-name``, so that the calls that find the stack are included.
"""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from moto.stepfunctions.models import stepfunctions_backends
from typer.testing import CliRunner

from local.aws import ACCOUNT
from music_streams.maintain import report
from music_streams.maintain.report import MaintenanceReport
from music_streams.state.requests import Forget, Rebuild
from music_streams.state.run_files import RunFolder
from music_streams_cli import dead_letters, journey, maintenance, reconciliation, registry, runs
from music_streams_cli.app import app
from tests.integration.cli.conftest import MACHINE, put_entry, stack
from tests.integration.cli.pipeline import Pipeline
from tests.integration.cli.test_dead_letters import LETTERS, put
from tests.integration.cli.test_maintaining import TABLES
from tests.integration.cli.test_operating import LONG_AGO, arrange, source
from tests.permissions.acting import Acts, acting
from tests.permissions.calls import Need
from tests.permissions.statements import allows, policy_statements, unused
from tests.runbooks import commands
from tests.template import Template

__all__ = ["stack"]

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "cli.md").read_text()
STACK = "streams-test"
REGION = "eu-west-1"
ENDED = MACHINE.replace(":stateMachine:", ":execution:") + ":over-1"
NOT_IN_TIME = 4  # the exit code of `put`, as no pipeline processes its file here
POLICIES = ("OperatorPolicy", "ReconcilerPolicy", "MaintainerPolicy")
PRODUCER = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": {"Fn::Sub": "${LandingBucket.Arn}/*"}}
LINES = [
    *("status", "show stuck.csv", "show 'bad rows.csv'", "show plain.csv", f"show {source('plain.csv').source_id}"),
    *("metrics day 2024-06-25", "metrics genres", "metrics genre jazz", "metrics country Türkiye"),
    *("metrics range --from 2024-06-20 --to 2024-06-30", "metrics songs", "report latest"),
    *("redrive --idle 0", "replay", "replay --day 2024-06-24", "retract plain.csv --yes"),
    *("rebuild", "rebuild --from-archive", "forget 4711 --yes"),
    *("quarantine list", "quarantine release 'bad rows.csv'", "quarantine release 'no header.csv'"),
    *("dlq list", "dlq redrive", "reconcile --from 2026-01-01 --to 2026-01-01", "maintain", "put new.csv --timeout 0"),
]
# `demo` starts with `up`, which only the local cloud has; with a stack, it makes only the calls of `put`, `metrics` and
# `show`.
WITHOUT_LINES = {"demo"}
GLUE_STATE = {"resourceType": "glue", "resource": "startJobRun.sync"}
ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("lambda", "Invoke"): {"StatusCode": 202},
    ("glue", "StartJobRun"): {"JobRunId": "jr_1"},
    ("glue", "GetJobRun"): {"JobRun": {"JobRunState": "SUCCEEDED", "StartedOn": 0}},
    ("stepfunctions", "GetExecutionHistory"): {
        "events": [
            {
                "type": "TaskScheduled",
                "taskScheduledEventDetails": {**GLUE_STATE, "parameters": '{"JobName": "transform-streams"}'},
            },
            {"type": "TaskSubmitted", "taskSubmittedEventDetails": {**GLUE_STATE, "output": '{"JobRunId": "jr_2"}'}},
        ]
    },
}
LOGICAL_IDS = {
    STACK: "any",
    "landing": "LandingBucket",
    "lake": "LakeBucket",
    "files": "FilesTable",
    "metrics": "MetricsTable",
    "music_streams": "music_streams",
    MACHINE: "ProcessStreams",
    "record-failure": "RecordFailureFunction",
    "maintain-lake": "MaintainJob",
    "transform-streams": "TransformJob",
}
QUEUES = {
    "ArrivalsQueueUrl": "ArrivalsQueue",
    "ArrivalsDeadLetterQueueUrl": "ArrivalsDeadLetterQueue",
    "FailuresDeadLetterQueueUrl": "FailuresDeadLetterQueue",
}
# Permissions that no line above shows to be used, with the reason.
UNSEEN: dict[str, dict[str, str]] = {
    "OperatorPolicy": {},
    "ReconcilerPolicy": {
        "s3:GetObject on LakeBucket/warehouse/*": "PyArrow reads the lake, not the SDK: lake_cases.py",
        "s3:GetObject on LakeBucket/reference/parsed/*": "if songs are in force: test_reconciling.py",
        "states:ListExecutions on ProcessStreams": "if a day differs: test_reconciling.py",
        "sqs:ReceiveMessage on FailedRunsQueue": "the trigger of Airflow's Amazon provider, in a separate environment",
        "sqs:DeleteMessage on FailedRunsQueue": "the same",
        "kms:GenerateDataKey on AlertsKey": "SNS uses the topic's key in the name of the publisher",
        "kms:Decrypt on AlertsKey": "the same",
    },
    "MaintainerPolicy": {},
}


class Machine(Pipeline):
    """The pipeline, in which runs without files are executions of Step Functions."""

    def _process(self, body: str) -> None:
        super()._process(body)
        request = self.requested[-1]
        if isinstance(request, Rebuild | Forget):
            self.stack.executions.start(RunFolder(self.stack.lake_bucket, request.batch_id), 1)
            execution_named(f"{request.batch_id}-1").status = "SUCCEEDED"


def execution_named(name: str) -> Any:
    machines = stepfunctions_backends[ACCOUNT][REGION].state_machines
    return next(each for machine in machines for each in machine.executions if each.name == name)


@dataclass(frozen=True)
class Result:
    """The exit code, output and AWS calls of a command."""

    exit_code: int
    output: str
    acts: Acts


def documented() -> dict[str, list[str]]:
    """Return the policies that each command needs according to docs/cli.md."""
    table = OPERATIONS.split("| command | policies |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {
        command: re.findall(r"\w+PolicyArn|producer", needed)
        for names, needed in rows
        for command in re.findall(r"`(\w+)`", names)
    }


def statements_of(template: Template, needed: list[str]) -> list[dict[str, Any]]:
    policies = [name.removesuffix("Arn") for name in needed if name.endswith("Arn")]
    return [*policy_statements(template, *policies), *([PRODUCER] if "producer" in needed else [])]


@contextmanager
def without_waiting(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (journey, runs, maintenance, reconciliation):
            patch.setattr(module, "_POLL_SECONDS", 0.01)
        patch.setattr(dead_letters, "_WAIT_SECONDS", 0)
        patch.delenv("MUSIC_STREAMS_STACK")
        patch.chdir(folder)
        (folder / "new.csv").write_text("user_id,track_id,listen_time\n")
        yield


@pytest.fixture(scope="module")
def ran(stack, template, tmp_path_factory) -> dict[str, Result]:
    """The result of every line."""
    machine = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    role = f"arn:aws:iam::{ACCOUNT}:role/states"
    functions = boto3.client("stepfunctions")
    functions.create_state_machine(name="process-streams", definition=json.dumps(machine), roleArn=role)
    functions.start_execution(stateMachineArn=MACHINE, name="over-1")
    execution_named("over-1").status = "FAILED"
    report.write(stack.s3, stack.lake_bucket, MaintenanceReport("jr_1", TABLES))
    logical_ids = LOGICAL_IDS | {stack.outputs[output]: name for output, name in QUEUES.items()}
    logical_ids |= {stack.outputs["AlertsTopicArn"]: "AlertsTopic"}
    results = {}
    with without_waiting(tmp_path_factory.mktemp("operator")):
        for line in LINES:
            arrange(stack)
            of_run = {"execution_arn": ENDED, "updated_at": LONG_AGO, "batch_id": "b" * 32}
            for name, status in (("late.csv", "PUBLISHED"), ("stuck.csv", "RUNNING"), ("working.csv", "RUNNING")):
                put_entry(stack, source(name), status=status, **of_run)
            is_about_letters = line.startswith("dlq")
            if is_about_letters:
                put(stack, LETTERS)
            others = nullcontext() if is_about_letters else Machine(stack).at_work()
            command, *rest = shlex.split(line)
            granted = statements_of(template, documented()[command])
            arguments = [command, *rest, "--stack-name", STACK]
            with others, acting(granted, logical_ids, ANSWERS) as acts:
                ended = CliRunner().invoke(app, arguments, prog_name="music-streams")
            results[line] = Result(ended.exit_code, ended.output + repr(ended.exception or ""), acts)
    return results


def test_page_lists_every_command_with_its_policies():
    typer = registry.commands
    names = {each.name for each in typer.registered_commands} | {each.name for each in typer.registered_groups}
    assert documented().keys() == names
    calling = {command for command, needed in documented().items() if needed}
    assert {shlex.split(line)[0] for line in LINES} == calling - WITHOUT_LINES


@pytest.mark.parametrize("line", LINES)
def test_policies_of_a_command_grant_its_calls(ran, line):
    result = ran[line]
    assert result.acts.refused == []
    assert result.exit_code in ({NOT_IN_TIME} if line.startswith("put") else {0, 1}), result.output
    used = {need.action for need in result.acts.granted}
    assert "cloudformation:DescribeStacks" in used
    assert len(used) > 1


def test_every_documented_policy_of_a_command_is_needed(ran, template):
    for line, result in ran.items():
        needed = documented()[shlex.split(line)[0]]
        for policy in needed:
            rest = statements_of(template, [each for each in needed if each != policy])
            assert [n for n in result.acts.granted if not allows(rest, n.action, n.resource, n.context)], (line, policy)


# ── The AWS CLI ───────────────────────────────────────────────────────────────────────────────────────────────────

# Commands on other pages are for those who deploy, administer the account, or reverse the decision.
OF_OPERATORS = ["runbooks.md", "cli.md", "telemetry.md", "maintenance.md"]
OTHERS = {"deploy.md", "local-cloud.md", "019-maintenance-is-a-glue-job.md"}
LOG_GROUPS = {"/aws/lambda/music-streams": "FunctionLogs"}


def lines_of_aws(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in commands(block) if re.match(r"aws\s", line)]


def needed_by(line: str) -> list[tuple[str, str]]:
    """Return the action of an AWS CLI command with each of its resources."""
    _, service, command, *rest = shlex.split(line)
    model = botocore.session.get_session().get_service_model(service)
    operation = {xform_name(name, "-"): name for name in model.operation_names}[command]
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    groups = given.get("--log-group-name") or given.get("--log-group-names")
    if groups:
        return [(f"logs:{operation}", LOG_GROUPS.get(group, f"log-group:{group}:*")) for group in groups.split()]
    if "--job-name" in given:
        return [(f"{service}:{operation}", f"job/{LOGICAL_IDS[given['--job-name']]}")]
    return [(f"{service}:{operation}", "*")]  # the action supports no narrower resource


AWS_LINES = sorted({line for page in OF_OPERATORS for line in lines_of_aws(DOCS / page)})


def test_every_page_with_aws_cli_commands_is_for_operators_or_listed():
    pages = {page.name for page in DOCS.rglob("*.md") if lines_of_aws(page)}
    assert pages <= {*OF_OPERATORS, *OTHERS}
    assert len(AWS_LINES) > 3
    page = " ".join((DOCS / "runbooks.md").read_text().split())
    assert "the commands of `aws` on this page need OperatorPolicyArn" in page


@pytest.mark.parametrize("line", AWS_LINES)
def test_operators_may_run_the_documented_aws_cli_commands(template, line):
    granted = policy_statements(template, "OperatorPolicy")
    for action, resource in needed_by(line):
        assert allows(granted, action, resource), (action, resource)


@pytest.mark.parametrize("line", ["filter-log-events", "start-query"])
@pytest.mark.parametrize("group", ["/aws-glue/jobs/output", "/aws-glue/python-jobs/error"])
def test_operators_may_query_the_logs_of_jobs(template, line, group):
    [(action, resource)] = needed_by(f"aws logs {line} --log-group-name {group}")
    assert group in (DOCS / "runbooks.md").read_text()
    assert allows(policy_statements(template, "OperatorPolicy"), action, resource)


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_grants_nothing_unused(ran, template, policy):
    needs = [need for result in ran.values() for need in result.acts.granted]
    needs += [Need(action, resource) for line in AWS_LINES for action, resource in needed_by(line)]
    assert unused(policy_statements(template, policy), needs) == UNSEEN[policy].keys()
