"""Every value of the policy is defined once: template, stack and pages agree with it, and no program repeats it."""

import ast
import re
from dataclasses import asdict, fields
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import boto3
import pytest

from music_streams import policy
from music_streams.operate.health import Health, Waiting
from music_streams.policy import Policy, parameter
from music_streams.reconcile.waiting import file_inspector
from music_streams.stack import Stack
from tests.aws import TEMPLATE
from tests.template import of_type
from tests.unit.policy_copies import PRODUCT, ROOT, copies, values

VALUES = values()
PARAMETERS = {parameter(name): value for name, value in VALUES.items() if parameter(name) in TEMPLATE["Parameters"]}
SET_BY_DEPLOYMENTS = {field.name for field in fields(Policy)}


def stack_with(outputs: dict[str, str]) -> Stack:
    return Stack(outputs, boto3.Session("test", "test", region_name="eu-west-1"), "stack of a test")


def test_every_value_has_a_documented_reason():
    body = ast.parse(Path(policy.__file__).read_text()).body
    for value, reason in pairwise(body):
        if isinstance(value, ast.Assign):
            name = ast.unparse(value.targets[0])
            assert isinstance(reason, ast.Expr), name
            assert len(str(ast.literal_eval(reason.value)).split()) > 8, name


def test_defaults_of_parameters_equal_the_policy():
    assert {parameter(name) for name in SET_BY_DEPLOYMENTS} < set(PARAMETERS)
    assert {name: TEMPLATE["Parameters"][name]["Default"] for name in PARAMETERS} == PARAMETERS


@pytest.mark.parametrize("name", sorted(SET_BY_DEPLOYMENTS))
def test_a_stack_outputs_the_values_of_its_parameters(name):
    assert TEMPLATE["Outputs"][parameter(name)]["Value"] == {"Ref": parameter(name)}


def test_the_policy_of_a_stack_is_read_from_its_outputs():
    outputs = {parameter(name): str(number) for number, name in enumerate(sorted(SET_BY_DEPLOYMENTS), start=7)}
    assert {parameter(name): str(value) for name, value in asdict(stack_with(outputs).policy).items()} == outputs


def test_the_reconciler_uses_the_values_of_the_stack_by_default():
    outputs = {"LandingBucketName": "landing", "FilesTableName": "files", "StateMachineArn": "arn"}
    stack = stack_with({**outputs, "LatencySlaSeconds": "70", "StallSeconds": "400"})
    assert (file_inspector(stack).late_seconds, file_inspector(stack).finder.idle_seconds) == (70, 400)
    assert file_inspector(stack, grace_seconds=0).finder.idle_seconds == 0


def test_a_file_is_late_after_the_latency_sla_of_the_stack():
    waiting = [Waiting("a.csv", "2024-06-25T12:00:00.000Z")]
    now = datetime(2024, 6, 25, 12, 2, tzinfo=UTC)
    assert not Health(waiting, [], 0, 0, now).is_late
    late = Health(waiting, [], 0, 0, now, latency_sla_seconds=60)
    assert late.is_late
    assert "over the latency SLA of 60 s" in late.sentence


def test_a_stack_of_an_earlier_version_has_the_defaults():
    assert stack_with({"StallSeconds": "600"}).policy == Policy(stall_seconds=600)
    assert {name.upper(): value for name, value in asdict(Policy()).items()}.items() <= VALUES.items()


def test_a_source_is_stalled_only_after_validate_can_no_longer_hold_it():
    timeout = of_type(TEMPLATE, "AWS::Serverless::Function")["ValidateFunction"]["Timeout"]
    assert timeout == policy.STALL_SECONDS == TEMPLATE["Parameters"]["StallSeconds"]["MinValue"]


def test_a_file_runs_alone_before_it_is_quarantined():
    least = TEMPLATE["Parameters"]["AttemptsBeforeQuarantine"]["MinValue"]
    assert policy.ALONE_AFTER_ATTEMPTS + 1 == least <= policy.ATTEMPTS_BEFORE_QUARANTINE


def test_the_alarm_on_arrivals_waits_for_three_tries():
    visible_again = of_type(TEMPLATE, "AWS::SQS::Queue")["ArrivalsQueue"]["VisibilityTimeout"]
    wait = TEMPLATE["Parameters"]["ArrivalsWaitSeconds"]
    assert (wait["Default"], wait["MinValue"]) == (3 * visible_again, visible_again)


def test_jobs_and_functions_have_the_timeouts_that_the_policy_names():
    jobs, functions = of_type(TEMPLATE, "AWS::Glue::Job"), of_type(TEMPLATE, "AWS::Serverless::Function")
    assert jobs["TransformJob"]["Timeout"] == policy.TRANSFORM_TIMEOUT_MINUTES
    assert functions["RecordFailureFunction"]["Timeout"] == 60 * policy.FAILURE_RECORDED_MINUTES


def test_the_parameter_for_repairs_is_limited_by_the_policy():
    assert TEMPLATE["Parameters"]["MaxRepairs"]["MaxValue"] == policy.MOST_REPAIRS


def test_the_waits_of_a_dag_fit_into_its_timeout():
    waits = policy.SETTLE_WAIT_MINUTES + policy.REPAIR_WAIT_MINUTES
    assert waits < policy.RECONCILE_TIMEOUT_MINUTES < policy.RECONCILE_OVERDUE_MINUTES
    assert policy.SETTLE_WAIT_MINUTES < policy.RECONCILE_EVERY_MINUTES
    assert policy.FAILURE_RECORDED_MINUTES + policy.REPAIR_WAIT_MINUTES < policy.ON_FAILURE_TIMEOUT_MINUTES
    assert policy.BACKFILL_WAIT_HOURS < policy.BACKFILL_TIMEOUT_HOURS
    assert policy.BACKFILL_DAYS_AT_ONCE < policy.TRANSFORM_CONCURRENCY


def test_the_page_has_a_row_for_every_value():
    page = (ROOT / "docs" / "thresholds.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d.,]+) \| (\w*) \|", page, re.MULTILINE)
    named = {name: parameter(name) if parameter(name) in PARAMETERS else "" for name in VALUES}
    assert rows == [
        (name, f"{value}" if isinstance(value, str) else f"{value:,}", named[name]) for name, value in VALUES.items()
    ]


SENTENCES = {
    "docs/airflow.md": [
        f"S[every {policy.RECONCILE_EVERY_MINUTES} minutes]",
        f"Every {policy.RECONCILE_EVERY_MINUTES} minutes, one run at a time",
        f"deadline: {policy.RECONCILE_OVERDUE_MINUTES} minutes",
        f"has not finished {policy.RECONCILE_OVERDUE_MINUTES} minutes after it was queued",
        f"failed fewer than AttemptsBeforeQuarantine ({policy.ATTEMPTS_BEFORE_QUARANTINE}) times",
        f"a file that failed AttemptsBeforeQuarantine ({policy.ATTEMPTS_BEFORE_QUARANTINE}) times is handled",
        f"a rebuild of up to {policy.DAYS_PER_REBUILD} days is one; none: MaxRepairs ({policy.MAX_REPAIRS})",
        f"none: StallSeconds ({policy.STALL_SECONDS} s)",
        f"waits for files in flight, {policy.SETTLE_WAIT_MINUTES} minutes at most",
        f"until each is finished, {policy.REPAIR_WAIT_MINUTES} minutes at most",
        f"waits up to {policy.FAILURE_RECORDED_MINUTES} minutes until the pipeline has recorded",
        f"| `wait_for_files` | waits until each is finished, {policy.BACKFILL_WAIT_HOURS} hours at most |",
    ],
    "docs/runbooks.md": [
        f"in the last StallSeconds ({policy.STALL_SECONDS} s) | waits up to {policy.SETTLE_WAIT_MINUTES} minutes",
        f"not published within LatencySlaSeconds ({policy.LATENCY_SLA_SECONDS} s)",
        f"**LatencySlaSeconds ({policy.LATENCY_SLA_SECONDS} s) from a file's arrival",
        f"after AttemptsBeforeQuarantine ({policy.ATTEMPTS_BEFORE_QUARANTINE}) failed attempts",
        f"AttemptsBeforeQuarantine ({policy.ATTEMPTS_BEFORE_QUARANTINE}) or more attempts failed",
        f"until they have failed AttemptsBeforeQuarantine ({policy.ATTEMPTS_BEFORE_QUARANTINE}) times",
        f"which `show` shows within {policy.RECONCILE_EVERY_MINUTES} minutes",
        f"for more than StallSeconds ({policy.STALL_SECONDS} s)",
        f"at least StallSeconds ({policy.STALL_SECONDS} s) after it landed",
        f"did not finish in {policy.RECONCILE_OVERDUE_MINUTES} minutes",
    ],
    "docs/cli.md": [
        f"`--timeout` seconds ({policy.COMMAND_WAIT_SECONDS} by default)",
        f"(by default StallSeconds, {policy.STALL_SECONDS} s: validate's timeout)",
        f"from the lake and publishes them: {policy.DAYS_PER_REBUILD} days a run",
    ],
    "docs/telemetry.md": [
        f"over LatencySlaSeconds ({policy.LATENCY_SLA_SECONDS} s) twice",
        f"ArrivalsWaitSeconds ({TEMPLATE['Parameters']['ArrivalsWaitSeconds']['Default']} s)",
    ],
    "docs/scale.md": [f"LatencySlaSeconds ({policy.LATENCY_SLA_SECONDS} s)"],
    "docs/design.md": [
        f"window {policy.BATCH_WINDOW_SECONDS} s by default",
        f"expire after {policy.SNAPSHOTS_KEPT_DAYS} days",
    ],
}


@pytest.mark.parametrize(("name", "sentence"), [(name, each) for name, all_ in SENTENCES.items() for each in all_])
def test_a_page_states_the_value(name, sentence):
    assert sentence in " ".join((ROOT / name).read_text().split())


def test_the_deployment_guide_lists_the_defaults_of_parameters():
    rows = dict(re.findall(r"^\| (\w+) \| ([^|]*) \|", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE))
    named = {name: value.strip() for name, value in rows.items() if name in TEMPLATE["Parameters"]}
    assert {parameter(name) for name in SET_BY_DEPLOYMENTS} < set(named)
    assert named == {name: str(TEMPLATE["Parameters"][name]["Default"]) for name in named}


def test_the_window_is_today_and_yesterday_as_pages_and_help_say():
    assert policy.WINDOW_DAYS == 2, "the texts of reconcile, its DAG and docs/airflow.md say today and yesterday"


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_program_repeats_a_value(path):
    assert copies(path.read_text()) == []


@pytest.mark.parametrize(
    "copy",
    [
        "IDLE_SECONDS = 300.0",
        "_GRACE = 5 * 60",
        "TARGET_SECONDS: float = 900",
        "MAX_FAILURES = 3",
        "_DAYS_PER_RUN = 31",
        "def settle(grace_seconds: float = 300): ...",
        "def settle(*, grace_seconds: Any = 300): ...",
        "wait = UntilSettled(patience=timedelta(minutes=30))",
        "deadline(DAG_ID, timedelta(minutes=60))",
        "timeout: Timeout = 900",
        "params = {'max_redrive': Param(50, type='integer')}",
        "most: Annotated[int, Option('--max', help='Repairs to ask for at most.')] = 50",
        "is_to_blame = file.failures >= 3",
        "is_late = seconds_waited > 900",
        "is_late = age > timedelta(minutes=15)",
        "schedule = '*/15 * * * *'",
        "help = 'A file that moved less than 300 s ago is in flight.'",
        "def f():\n    '''A file that failed three times is quarantined.'''",
        "text = f'{name} was not published within 15 minutes'",
    ],
)
def test_a_planted_copy_is_found(copy):
    assert copies(copy), copy


@pytest.mark.parametrize(
    "other",
    [
        *("_MAX_REASON = 300  # characters", "_COMMAND_CHARACTERS = 300", "TOP_SONGS = 3", "_DAYS_SHOWN = 31"),
        *("_LATEST_FILES = 50", "task(retries=3, retry_delay=timedelta(seconds=10))", "grace_seconds = 0"),
        *("yesterday = today - timedelta(days=1)", "timeout = stack.policy.stall_seconds"),
        "text = 'each hour has 60 minutes'",
    ],
)
def test_what_only_looks_alike_is_no_copy(other):
    assert copies(other) == []
