"""The sources of an execution that failed, timed out or was aborted become FAILED where they are, with an alert."""

import itertools
import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.stepfunctions.models import stepfunctions_backends

from music_streams.errors import JobRunsAlive
from music_streams.ingest.outcomes import Outcome
from music_streams.reconcile.stalled import request_message
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.stored_sources import stored_entry
from tests.integration.domain.validate import deliver, message
from tests.integration.domain.world import ACCOUNT, LOAD_JOB, REGION, TRANSFORM_JOB, always, before_and_after


@pytest.fixture(autouse=True)
def no_job_runs(world):
    world.glue.runs.clear()
    world.glue.stopping_looks = 0


@pytest.fixture
def run(world):
    """A run that holds one source."""
    return Run.of(world, world.upload()).claimed()


def of_status(world, status, **attributes):
    """A run of one source with a status."""
    run = Run.of(world, world.upload())
    world.batch(*run.sources, status=status, **({"execution_arn": run.arn} | attributes))
    return run


def line(source):
    """The line of an alert about a file; the commands find it by its source_id."""
    return f"{source.uri} (source_id {source.source_id})"


def test_running_sources_fail_and_stay_where_they_are(world):
    run = Run.of(world, world.upload(), world.upload()).claimed()
    world.sent_alerts()
    assert run.fail() == 2
    for source in run.sources:
        assert world.status(source) is Status.FAILED
        assert "the job ended with 1" in world.entry(source).reason
        assert world.is_at_landing_key(source)
    (alert,) = world.sent_alerts()
    assert f"{run.name} FAILED" in alert["Subject"]
    lines = alert["Message"].split("\n")
    assert lines[:2] == ["Stack: alerts", f"Execution: {run.arn}"]
    assert "the job ended with 1" in lines[2]
    assert "FAILED" not in lines[2]
    assert lines[-4:-2] == ["3. After a fix: music-streams redrive FILE", "Failed files (not moved, nothing is lost):"]
    assert set(lines[-2:]) == {line(source) for source in run.sources}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "TIMED_OUT", "error": None, "cause": None}, "TIMED_OUT"),
        ({"status": "ABORTED", "error": None, "cause": None}, "ABORTED"),
        ({"cause": '{"ErrorMessage":"NoReferenceData: no_reference_data: no usable songs row"}'}, "no_reference_data"),
        ({"error": None, "cause": "x" * 1000}, "x" * 148 + " … " + "x" * 149),
    ],
    ids=["timed out", "aborted", "no reference data", "a long cause"],
)
def test_the_reason_is_a_known_one_or_the_text_of_the_event(world, run, changes, reason):
    run.fail(**changes)
    assert world.entry(*run.sources).reason == reason


def test_the_alert_of_a_known_reason_has_its_details(world, run):
    world.sent_alerts()
    found = "no usable songs row under s3://l/reference/songs/: s3://l/reference/songs/a.csv: 0 of 5 rows are usable"
    run.fail(cause=json.dumps({"ErrorMessage": f"NoReferenceData: no_reference_data: {found}"}))
    [alert] = world.sent_alerts()
    assert f"Reason: no_reference_data: {found}" in alert["Message"].split("\n")


WITHOUT_REASON = {"error": None, "cause": None}
BARE = {"input": None, **WITHOUT_REASON}
"""The fields that an event may lack: the input of the execution and why it ended."""


def test_details_that_the_event_lacks_are_read_from_the_execution(world, run):
    run.start()
    machines = stepfunctions_backends[ACCOUNT][REGION].state_machines
    [execution] = [found for machine in machines for found in machine.executions if found.name == run.name]
    execution.status, execution.error, execution.cause = "FAILED", "States.TaskFailed", '{"ErrorMessage": "no memory"}'
    assert run.fail(**BARE) == 1
    assert world.entry(*run.sources).reason == "States.TaskFailed: no memory"


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeExecution")
NO_ANSWER = ReadTimeoutError(endpoint_url="https://states.amazonaws.com")
does_not_answer = pytest.mark.parametrize("error", [DENIED, NO_ANSWER], ids=["denied", "no answer"])


def record_without_step_functions(run, refusal, /, **changes):
    class Refusing:
        def describe_execution(self, executionArn):  # noqa: ARG002, N803 - as boto3 names it
            raise refusal

    path = replace(run.world.failure_path, step_functions=Refusing())
    return path.record(run.failure(**changes), always)


@does_not_answer
def test_a_failure_is_recorded_without_its_reason_if_step_functions_does_not_answer(world, run, error):
    assert record_without_step_functions(run, error, **WITHOUT_REASON) == 1
    assert world.entry(*run.sources).reason == "FAILED"


@does_not_answer
def test_an_event_whose_input_cannot_be_read_is_retried(world, run, error):
    with pytest.raises(type(error)):
        record_without_step_functions(run, error, **BARE)
    assert world.status(*run.sources) is Status.RUNNING


def test_a_complete_event_needs_no_call_of_step_functions(world, run):
    assert record_without_step_functions(run, DENIED) == 1
    assert "the job ended with 1" in world.entry(*run.sources).reason


def test_a_source_that_was_valid_for_the_execution_fails_with_it(world):
    run = Run.of(world, world.upload())
    assert run.fail() == 1
    assert world.status(*run.sources) is Status.FAILED


@pytest.mark.parametrize(
    ("status", "attributes"),
    [
        *((status, {}) for status in Status if status not in {Status.VALID, Status.RUNNING, Status.FAILED}),
        (Status.RUNNING, {"attempt": 2, "execution_arn": "of:another-2"}),
        (Status.VALID, {"attempt": 2, "execution_arn": ""}),
    ],
    ids=lambda value: "of a later attempt" if value else "",
)
def test_a_source_that_has_advanced_or_is_held_by_another_execution_is_unchanged(world, status, attributes):
    run = of_status(world, status, **attributes)
    before = world.item(*run.sources)
    assert run.fail() == 0
    assert world.item(*run.sources) == before


@before_and_after
def test_recording_a_failure_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        source, waiting = world.upload(), world.upload()
        run = Run.of(world, source, waiting).claimed()
        world.put_entry(waiting, Status.VALID, batch_id=run.folder.batch_id)
        world.sent_alerts()
        if not world.crashes(run.fail, call, is_done=is_done):
            break
        run.fail()
        assert (world.status(source), world.status(waiting)) == (Status.FAILED, Status.FAILED)
        assert {line(source), line(waiting)} <= set(world.sent_alerts()[-1]["Message"].split("\n")), call
    assert call > 6


# ── FAILED means that nothing of the execution is active; how its job runs are stopped: test_job_runs.py ──


@pytest.mark.parametrize("job", [TRANSFORM_JOB, LOAD_JOB])
@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "WAITING", "STOPPING"])
def test_active_job_runs_are_stopped_first(world, run, job, state):
    world.glue.stopping_looks = 3
    run_id = world.glue.start(job, run.name, state)
    assert run.fail() == 1
    assert world.glue.state(run_id) == "STOPPED"
    assert world.status(*run.sources) is Status.FAILED


def test_no_source_fails_while_a_job_run_is_active(world, run):
    world.glue.stopping_looks = 5
    world.glue.start(TRANSFORM_JOB, run.name)
    world.sent_alerts()
    times = iter([True])
    with pytest.raises(JobRunsAlive):
        world.failure_path.record(run.failure(), lambda: next(times, False))
    assert world.status(*run.sources) is Status.RUNNING
    assert world.sent_alerts() == []
    assert run.fail() == 1


@before_and_after
def test_recording_a_failure_is_idempotent_after_a_crash_while_job_runs_stop(world, is_done):
    for call in itertools.count(1):
        run = Run.of(world, world.upload()).claimed()
        world.glue.runs.clear()  # More runs would be more pages, and so more calls than in the last iteration.
        world.glue.stopping_looks = 1
        run_id = world.glue.start(TRANSFORM_JOB, run.name)
        if not world.crashes(run.fail, call, is_done=is_done):
            break
        assert world.status(*run.sources) is Status.RUNNING or world.glue.state(run_id) == "STOPPED"
        run.fail()
        assert world.status(*run.sources) is Status.FAILED
        assert world.glue.state(run_id) == "STOPPED"
    assert call > len(["runs", "runs", "runs", "stop", "runs", "runs"])


# ── The event is delivered late, twice or never ──


def test_a_failure_event_that_is_delivered_twice_is_recorded_once(world, run):
    run.fail()
    failed = world.item(*run.sources)
    assert run.fail(cause="another") == 1
    assert world.item(*run.sources) == failed


@pytest.mark.parametrize("is_claimed", [False, True], ids=["waiting for its claim", "running"])
def test_a_late_failure_event_does_not_change_the_next_attempt(world, is_claimed):
    source = world.upload()
    deliver(world, message(source))
    first = Run.holding(world, source).claimed()
    first.fail()
    deliver(world, request_message(world.entry(source), Action.REDRIVE))
    second = Run.holding(world, source)
    if is_claimed:
        second.claim()
    run_id = world.glue.start(TRANSFORM_JOB, second.name)
    item = world.item(source)
    assert first.fail() == 0
    assert world.item(source) == item
    assert world.glue.state(run_id) == "RUNNING"
    second.go()
    assert world.status(source) is Status.ARCHIVED


def test_a_redrive_finds_an_unrecorded_failure_although_the_execution_history_has_expired(world):
    entry = stored_entry(world, Status.RUNNING)
    assert world.state_machine.status(entry.execution_arn) == ""
    assert deliver(world, request_message(entry, Action.REDRIVE)).outcomes == [Outcome.RENEWED]
    Run.holding(world, entry.source).go()
    assert world.status(entry.source) is Status.ARCHIVED


def test_sources_that_were_published_before_the_failure_stay_published_and_are_in_the_alert(world):
    done, source = world.upload(), world.upload()
    run = Run.of(world, done, source).claimed()
    world.put_entry(done, Status.PUBLISHED, batch_id=run.folder.batch_id, execution_arn=run.arn)
    world.sent_alerts()
    assert run.fail() == 1
    assert (world.status(done), world.status(source)) == (Status.PUBLISHED, Status.FAILED)
    [alert] = world.sent_alerts()
    assert "to be archived by music-streams redrive" in alert["Message"]
    assert line(done) in alert["Message"]


def test_an_alert_about_many_files_is_short(world):
    run = Run.of(world, *(world.upload() for _ in range(60))).claimed()
    world.sent_alerts()
    run.fail()
    [alert] = world.sent_alerts()
    assert "and 10 more" in alert["Message"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"message": "ValueError: no such bucket"}, "ValueError: no such bucket"),
        ({}, "FAILED"),
        ({"message": ""}, "FAILED"),
    ],
)
def test_a_failed_run_of_maintenance_sends_an_alert(world, message, reason):
    world.sent_alerts()
    world.failure_path.report_job({"jobName": "maintain-lake", "jobRunId": "jr_1", "state": "FAILED", **message})
    (alert,) = world.sent_alerts()
    assert alert["Subject"] == "music-streams: maintain-lake FAILED"
    assert f"Reason: {reason}" in alert["Message"].split("\n")
    assert "music-streams maintain" in alert["Message"]
