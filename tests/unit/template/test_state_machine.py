"""The state machine, beyond what the interpreter checks when it runs."""

import yaml

from tests.unit.template.conftest import ROOT

TEXT = (ROOT / "statemachine" / "process_streams.asl.yaml").read_text()
DEFINITION = yaml.safe_load(TEXT)
STATES = DEFINITION["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def test_the_file_has_no_yaml_aliases_which_cloudformation_does_not_resolve():
    kinds = {type(token) for token in yaml.scan(TEXT)}
    assert not kinds & {yaml.AliasToken, yaml.AnchorToken}


def test_the_steps_come_in_order_and_metrics_are_announced_before_inputs_move():
    order, name = [], DEFINITION["StartAt"]
    while name:
        order.append(name)
        name = STATES[name].get("Next") or STATES[name].get("Default")
    assert order == [
        "Claim sources",
        "Are there sources",
        "Transform streams",
        "Load metrics",
        "Settle sources",
        "Announce metrics",
        "Archive sources",
    ]


def test_every_task_retries_by_named_errors_with_jitter():
    for name, task in TASKS.items():
        for retry in task["Retry"]:
            assert "States.ALL" not in retry["ErrorEquals"], name
            assert retry["JitterStrategy"] == "FULL", name


def test_functions_retry_alike_and_so_do_jobs():
    by_resource: dict[str, list] = {}
    for task in TASKS.values():
        by_resource.setdefault(task["Resource"], []).append(task["Retry"])
    for retries in by_resource.values():
        assert all(retry == retries[0] for retry in retries)


def test_a_burst_may_wait_for_a_free_glue_run_for_more_than_an_hour():
    for name in ("Transform streams", "Load metrics"):
        [retry] = [r for r in TASKS[name]["Retry"] if "Glue.ConcurrentRunsExceededException" in r["ErrorEquals"]]
        assert retry["MaxAttempts"] * retry["MaxDelaySeconds"] > 3600


def test_every_failure_goes_the_one_way_of_the_status_change_rule(resources):
    assert not [name for name, state in STATES.items() if "Catch" in state]
    pattern = resources["FailedRunsRule"]["Properties"]["EventPattern"]
    assert pattern["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    [target] = resources["FailedRunsRule"]["Properties"]["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] == "RecordFailureFunction"


def test_every_substitution_is_given_and_used(source):
    given = set(source["Resources"]["ProcessStreams"]["Properties"]["DefinitionSubstitutions"])
    used = {part.split("}")[0] for part in yaml.safe_dump(DEFINITION).split("${")[1:]}
    assert given == used
