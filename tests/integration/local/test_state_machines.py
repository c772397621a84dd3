import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.clouds import Cloud, eventually

pytestmark = pytest.mark.slow


def test_a_failed_job_fails_the_execution_and_says_why(cloud):
    execution = cloud.ended(cloud.start("Machine", {"mode": "fail"}))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution["cause"])["ErrorMessage"] == "RuntimeError: the job was asked to fail"


def test_a_failed_job_is_run_again_and_waited_for(cloud):
    arn = cloud.start("Machine", {"mode": "fail once"})
    execution = cloud.ended(arn)
    assert execution["status"] == "SUCCEEDED"
    assert isinstance(json.loads(execution["output"])["StartedOn"], int)
    name = arn.rsplit(":", 1)[1]
    runs = cloud.client("glue").get_job_runs(JobName=cloud.outputs["Shell"])["JobRuns"]
    assert [run["JobRunState"] for run in runs if run["Arguments"].get("--name") == name] == ["SUCCEEDED", "FAILED"]


def test_executions_retry_until_the_job_has_room(cloud):
    executions = [cloud.start("Machine", {"mode": "succeed"}) for _ in range(2)]
    assert [cloud.ended(arn)["status"] for arn in executions] == ["SUCCEEDED", "SUCCEEDED"]
    states = cloud.client("stepfunctions")
    histories = [states.get_execution_history(executionArn=arn)["events"] for arn in executions]
    failures = [event for history in histories for event in history if event["type"] == "TaskFailed"]
    errors = {event["taskFailedEventDetails"]["error"] for event in failures}
    assert errors == {"Glue.ConcurrentRunsExceededException"}


def test_a_functions_error_can_be_caught_by_its_name(cloud):
    execution = cloud.ended(cloud.start("Machine", {"call": {"raise": "as asked"}}))
    assert execution["status"] == "SUCCEEDED"
    caught = json.loads(execution["output"])["caught"]
    assert caught["Error"] == "ValueError"
    assert json.loads(caught["Cause"])["errorMessage"] == "as asked"


def test_another_error_fails_the_execution_under_its_name(cloud):
    execution = cloud.ended(cloud.start("Machine", {"call": {"sleep": 30}}))
    assert (execution["status"], execution["error"]) == ("FAILED", "Sandbox.Timedout")


def test_an_execution_that_takes_too_long_times_out_and_stops_its_job(cloud):
    arn = cloud.start("Short", {"mode": "sleep"})
    execution = cloud.ended(arn)
    assert execution["status"] == "TIMED_OUT"
    assert execution["stopDate"] >= execution["startDate"]
    run = eventually(lambda: latest_run(cloud, "STOPPED"))
    assert run["Arguments"]["--name"] == arn.rsplit(":", 1)[1]


def test_a_stopped_execution_is_aborted_immediately_and_stops_its_job(cloud):
    arn = cloud.start("Machine", {"mode": "sleep"}, name="to-be-stopped")
    cloud.object("Landing", "jobs/to-be-stopped.pid")
    cloud.client("stepfunctions").stop_execution(executionArn=arn, error="Mine", cause="because")
    execution = cloud.execution(arn)
    assert (execution["status"], execution["error"], execution["cause"]) == ("ABORTED", "Mine", "because")
    assert eventually(lambda: latest_run(cloud, "STOPPED"))["Arguments"]["--name"] == "to-be-stopped"
    (note,) = eventually(lambda: [note for note in cloud.notes(f"status:{arn}") if note["sk"] == "ABORTED"])
    assert json.loads(note["event"])["detail"]["cause"] == "because"


def latest_run(cloud: Cloud, state: str) -> Any:
    runs = cloud.client("glue").get_job_runs(JobName=cloud.outputs["Shell"])["JobRuns"]
    latest = max(runs, key=lambda run: run["StartedOn"])
    return latest if latest["JobRunState"] == state else None


def test_every_change_of_status_is_an_event_that_reaches_a_function(cloud):
    arn = cloud.start("Machine", {"call": {"raise": "caught"}}, name="observed")
    execution = cloud.ended(arn)
    notes = eventually(lambda: found if len(found := cloud.notes(f"status:{arn}")) == 2 else None)
    events = {note["sk"]: json.loads(note["event"]) for note in notes}
    assert set(events) == {"RUNNING", "SUCCEEDED"}
    ended = events["SUCCEEDED"]
    detail = ended["detail"]
    expected = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "resources": [detail["executionArn"]],
    }
    assert {name: ended[name] for name in expected} == expected
    assert (detail["executionArn"], detail["stateMachineArn"]) == (arn, cloud.outputs["Machine"])
    assert detail["name"] == "observed"
    assert json.loads(detail["input"]) == {"call": {"raise": "caught"}}
    assert detail["inputDetails"] == {"included": True}
    assert detail["output"] == execution["output"]
    assert detail["startDate"] <= detail["stopDate"]
    assert (detail["error"], detail["cause"]) == (None, None)
    running = events["RUNNING"]["detail"]
    assert (running["stopDate"], running["output"], running["outputDetails"]) == (None, None, None)


def test_concurrent_starts_with_the_same_name_are_one_execution(cloud):
    with ThreadPoolExecutor(8) as callers:
        starts = callers.map(lambda _: cloud.start("Machine", {"call": {"sleep": 1}}, name="once"), range(8))
        (arn,) = set(starts)
    assert cloud.ended(arn)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        cloud.start("Machine", {"call": {"sleep": 1}}, name="once")
    listed = cloud.client("stepfunctions").list_executions(stateMachineArn=cloud.outputs["Machine"])["executions"]
    assert [execution["name"] for execution in listed].count("once") == 1


def test_many_concurrent_executions_call_a_function(cloud):
    arns = [cloud.start("Machine", {"call": {"number": number}}) for number in range(20)]
    outputs = [json.loads(cloud.ended(arn)["output"]) for arn in arns]
    assert [output["answer"]["echo"]["number"] for output in outputs] == list(range(20))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", output["started"]) for output in outputs)
