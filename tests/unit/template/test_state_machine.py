"""The state machine: properties that the interpreter does not check when it runs."""

from typing import Any

import pytest
import yaml

from tests.unit.template.conftest import ROOT

TEXT = (ROOT / "statemachine" / "process_streams.asl.yaml").read_text()
DEFINITION = yaml.safe_load(TEXT)
STATES = DEFINITION["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
JOBS = {name: task for name, task in TASKS.items() if "glue" in task["Resource"]}
FUNCTIONS = {name: task for name, task in TASKS.items() if "lambda" in task["Resource"]}


def test_definition_has_no_yaml_aliases_which_cloudformation_does_not_resolve():
    kinds = {type(token) for token in yaml.scan(TEXT)}
    assert not kinds & {yaml.AliasToken, yaml.AnchorToken}


def test_steps_are_in_order_and_metrics_are_announced_before_inputs_move():
    order, name = [], DEFINITION["StartAt"]
    while name:
        order.append(name)
        name = STATES[name].get("Next") or STATES[name].get("Default")
    assert order == [
        *("Claim sources", "Is there work", "Transform streams", "Load metrics"),
        *("Settle sources", "Are all settled"),  # sends MetricsPublished
        *("Archive sources", "Are all archived", "Done"),
    ]


@pytest.mark.parametrize(
    ("output", "name", "then"),
    [
        ({"claim": {"left": 1, "has_work": True}}, "Is there work", "Claim sources"),
        ({"claim": {"left": 0, "has_work": True}}, "Is there work", "Transform streams"),
        ({"claim": {"left": 0, "has_work": False}}, "Is there work", "Nothing to do"),
        ({"settle": {"left": 9_999}}, "Are all settled", "Settle sources"),
        ({"settle": {"left": 0}}, "Are all settled", "Archive sources"),
        ({"archive": {"left": 1}, "claim": {"forgets": True}}, "Are all archived", "Archive sources"),
        ({"archive": {"left": 0}, "claim": {"forgets": True}}, "Are all archived", "Erase copies"),
        ({"archive": {"left": 0}, "claim": {"forgets": False}}, "Are all archived", "Done"),
        ({"erase": {"left": 1}}, "Are all erased", "Erase copies"),
        ({"erase": {"left": 0}}, "Are all erased", "Done"),
    ],
)
def test_step_with_work_left_runs_again(output, name, then):
    assert _chosen(STATES[name], output) == then


def test_every_choice_is_covered_above():
    choices = {name for name, state in STATES.items() if state["Type"] == "Choice"}
    assert choices == {"Is there work", "Are all settled", "Are all archived", "Are all erased"}


def _chosen(choice: dict[str, Any], output: dict[str, Any]) -> str:
    """Return the state that follows a choice after this output of the states before it."""
    for rule in choice["Choices"]:
        value: Any = output
        for part in rule["Variable"].removeprefix("$.").split("."):
            value = value[part]
        if value > rule["NumericGreaterThan"] if "NumericGreaterThan" in rule else value is rule["BooleanEquals"]:
            return str(rule["Next"])
    return str(choice["Default"])


def test_every_function_receives_the_manifest_which_no_result_overwrites():
    for name, task in FUNCTIONS.items():
        assert task["Parameters"]["Payload"]["manifest.$"] == "$.manifest", name
        assert task["ResultPath"] in {"$.claim", "$.settle", "$.archive", "$.erase"}, name
        assert all(path.startswith("$.Payload.") for path in task["ResultSelector"].values()), name


def test_steps_that_move_sources_receive_the_execution_that_claims_them():
    for name in ("Claim sources", "Settle sources", "Archive sources"):
        assert TASKS[name]["Parameters"]["Payload"]["execution_arn.$"] == "$$.Execution.Id", name


def test_both_jobs_receive_the_manifest_and_the_name_of_the_execution():
    for name, task in JOBS.items():
        arguments = task["Parameters"]["Arguments"]
        assert (arguments["--manifest.$"], arguments["--execution.$"]) == ("$.manifest", "$$.Execution.Name"), name
        assert task["Resource"].endswith(":startJobRun.sync"), name


def test_later_steps_use_the_transform_run_that_was_awaited():
    transform = TASKS["Transform streams"]
    assert (transform["ResultSelector"], transform["ResultPath"]) == ({"run.$": "$"}, "$.transform")
    assert TASKS["Load metrics"]["Parameters"]["Arguments"]["--transform_run_id.$"] == "$.transform.run.Id"
    assert TASKS["Settle sources"]["Parameters"]["Payload"]["run_id.$"] == "$.transform.run.Id"


def test_settle_receives_both_complete_job_runs():
    load = TASKS["Load metrics"]
    assert (load["ResultSelector"], load["ResultPath"]) == ({"run.$": "$"}, "$.load")
    payload = TASKS["Settle sources"]["Parameters"]["Payload"]
    assert (payload["transform_run.$"], payload["load_run.$"]) == ("$.transform.run", "$.load.run")


def test_spark_run_has_the_workers_that_claim_returns():
    claimed = TASKS["Claim sources"]["ResultSelector"]
    assert claimed["workers.$"] == "$.Payload.workers"
    transform = TASKS["Transform streams"]["Parameters"]
    assert (transform["WorkerType"], transform["NumberOfWorkers.$"]) == ("G.1X", "$.claim.workers")


def test_every_task_retries_named_errors_and_those_of_aws_with_jitter():
    for name, task in TASKS.items():
        for retry in task["Retry"]:
            assert "States.ALL" not in retry["ErrorEquals"], name
            assert retry.get("JitterStrategy") == "FULL" or retry["ErrorEquals"] == ["States.TaskFailed"], name


def test_failed_job_run_is_retried_once_whatever_the_error():
    for name, task in JOBS.items():
        [retry] = [each for each in task["Retry"] if "States.TaskFailed" in each["ErrorEquals"]]
        assert retry["MaxAttempts"] == 1, name
        assert task["Retry"][-1] is retry, f"{name}: the first retry that matches applies, and this one always matches"


def test_function_that_timed_out_is_retried():
    for name, task in FUNCTIONS.items():
        [retry] = task["Retry"]
        assert {"Lambda.Unknown", "Sandbox.Timedout", "Lambda.ServiceException"} <= set(retry["ErrorEquals"]), name


def test_all_jobs_and_all_functions_retry_alike_except_that_settle_retries_refused_events():
    first, *others = (task["Retry"] for task in JOBS.values())
    assert all(retry == first for retry in others)
    [first], *others = (task["Retry"] for task in FUNCTIONS.values())
    for [retry] in others:
        more = set(retry["ErrorEquals"]) - set(first["ErrorEquals"])
        assert more == (set() if retry is not TASKS["Settle sources"]["Retry"][0] else {"EventRefused"})
        assert {**retry, "ErrorEquals": []} == {**first, "ErrorEquals": []}


def test_burst_may_wait_for_a_free_glue_run_for_more_than_an_hour():
    for name in ("Transform streams", "Load metrics"):
        [retry] = [r for r in TASKS[name]["Retry"] if "Glue.ConcurrentRunsExceededException" in r["ErrorEquals"]]
        assert retry["MaxAttempts"] * retry["MaxDelaySeconds"] > 3600


def test_every_failure_is_handled_by_the_status_change_rule(resources):
    assert not [name for name, state in STATES.items() if "Catch" in state]
    pattern = resources["FailedRunsRule"]["Properties"]["EventPattern"]
    assert pattern["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    targets = [target["Arn"]["Fn::GetAtt"][0] for target in resources["FailedRunsRule"]["Properties"]["Targets"]]
    assert targets == ["RecordFailureFunction", "FailedRunsQueue"]


def test_every_substitution_is_defined_and_used(source):
    given = set(source["Resources"]["ProcessStreams"]["Properties"]["DefinitionSubstitutions"])
    used = {part.split("}")[0] for part in yaml.safe_dump(DEFINITION).split("${")[1:]}
    assert given == used
