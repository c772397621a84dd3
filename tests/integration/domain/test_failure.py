"""An execution that failed, timed out or was aborted leaves its sources FAILED where they lie, with an alert."""

import itertools
import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.stepfunctions.models import stepfunctions_backends

from music_streams.errors import JobRunsAlive
from music_streams.ingest.outcomes import Outcome
from music_streams.reconcile.stalled import ask
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.standing import standing
from tests.integration.domain.validate import message, take
from tests.integration.domain.world import ACCOUNT, LOAD_JOB, REGION, TRANSFORM_JOB, Crash, always


@pytest.fixture(autouse=True)
def no_job_runs(world):
    world.glue.runs.clear()
    world.glue.stopping_looks = 0


def ended(world, folder, attempt=1, **changes):
    """The detail of the status-change event."""
    name = f"{folder.batch_id}-{attempt}"
    return {
        "executionArn": world.execution_arn(name),
        "stateMachineArn": world.state_machine_arn,
        "name": name,
        "status": "FAILED",
        "input": json.dumps({"manifest": folder.manifest_uri}),
        "error": "States.TaskFailed",
        "cause": "the job ended with 1",
        **changes,
    }


def record(world, detail):
    return world.failure_path.record(detail, always)


def running(world, *sources, attempt=1, **attributes):
    folder = world.batch(*sources)
    arn = world.execution_arn(f"{folder.batch_id}-{attempt}")
    world.batch(*sources, status=Status.RUNNING, execution_arn=arn, attempt=attempt, **attributes)
    return folder


def test_running_sources_fail_and_stay_where_they_are(world):
    sources = world.upload(), world.upload()
    folder = running(world, *sources)
    world.sent_alerts()
    assert record(world, ended(world, folder)) == 2
    for source in sources:
        assert world.status(source) is Status.FAILED
        assert "the job ended with 1" in world.entry(source).reason
        assert world.has(source)
    (alert,) = world.sent_alerts()
    assert f"{folder.batch_id}-1 FAILED" in alert["Subject"]
    assert all(text in alert["Message"] for text in (*(source.uri for source in sources), "the job ended with 1"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "TIMED_OUT", "error": None, "cause": None}, "TIMED_OUT"),
        ({"status": "ABORTED", "error": None, "cause": None}, "ABORTED"),
        ({"cause": '{"ErrorMessage":"NoReferenceData: no_reference_data: no valid songs row"}'}, "no_reference_data"),
        ({"error": None, "cause": "x" * 1000}, "FAILED: " + "x" * 292),
    ],
    ids=["timed out", "aborted", "no reference data", "a long cause"],
)
def test_the_reason_is_a_known_one_or_what_the_event_says(world, changes, reason):
    source = world.upload()
    record(world, ended(world, running(world, source), **changes))
    assert world.entry(source).reason == reason


def short(world, folder):
    """The detail of an event that leaves out what the execution was given and why it ended."""
    return {**ended(world, folder), "input": None, "error": None, "cause": None}


def test_what_the_event_leaves_out_is_asked_of_the_execution(world):
    source = world.upload()
    folder = running(world, source)
    world.state_machine.start(folder, 1)
    backend = stepfunctions_backends[ACCOUNT][REGION]
    [execution] = [
        each for machine in backend.state_machines for each in machine.executions if each.name == f"{folder.batch_id}-1"
    ]
    execution.status, execution.error, execution.cause = "FAILED", "States.TaskFailed", '{"ErrorMessage": "no memory"}'
    assert record(world, short(world, folder)) == 1
    assert world.entry(source).reason == "FAILED: States.TaskFailed: no memory"


class Refusing:
    """Step Functions that does not answer."""

    def __init__(self, error):
        self.error = error

    def describe_execution(self, executionArn):  # noqa: ARG002, N803 - as boto3 names it
        raise self.error


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeExecution")
NO_ANSWER = ReadTimeoutError(endpoint_url="https://states.amazonaws.com")


@pytest.mark.parametrize("error", [DENIED, NO_ANSWER], ids=["denied", "no answer"])
def test_a_failure_is_recorded_without_its_reason_where_step_functions_does_not_answer(world, error):
    source = world.upload()
    detail = {**ended(world, running(world, source)), "error": None, "cause": None}
    assert replace(world.failure_path, step_functions=Refusing(error)).record(detail, always) == 1
    assert world.entry(source).reason == "FAILED"


@pytest.mark.parametrize("error", [DENIED, NO_ANSWER], ids=["denied", "no answer"])
def test_where_nothing_says_which_files_an_execution_had_the_event_comes_back(world, error):
    source = world.upload()
    folder = running(world, source)
    with pytest.raises(type(error)):
        replace(world.failure_path, step_functions=Refusing(error)).record(short(world, folder), always)
    assert world.status(source) is Status.RUNNING


def test_an_event_that_says_all_is_believed(world):
    source = world.upload()
    detail = ended(world, running(world, source))
    assert replace(world.failure_path, step_functions=Refusing(DENIED)).record(detail, always) == 1
    assert "the job ended with 1" in world.entry(source).reason


def test_a_source_that_was_valid_for_the_execution_does_not_wait_for_ever(world):
    source = world.upload()
    assert record(world, ended(world, world.batch(source))) == 1
    assert world.status(source) is Status.FAILED


@pytest.mark.parametrize(
    "status", [status for status in Status if status not in {Status.VALID, Status.RUNNING, Status.FAILED}]
)
def test_a_source_that_has_gone_on_stays_as_it_is(world, status):
    source = world.upload()
    folder = world.batch(source)
    world.batch(source, status=status, execution_arn=world.execution_arn(f"{folder.batch_id}-1"))
    before = world.item(source)
    assert record(world, ended(world, folder)) == 0
    assert world.item(source) == before


def test_what_another_execution_runs_is_left_alone(world):
    source = world.upload()
    folder = running(world, source, attempt=2)
    before = world.item(source)
    assert record(world, ended(world, folder, attempt=1)) == 0
    assert world.item(source) == before


def test_the_event_of_an_earlier_attempt_does_not_take_what_was_redriven(world):
    source = world.upload()
    folder = world.batch(source, attempt=2, execution_arn="")
    before = world.item(source)
    assert record(world, ended(world, folder, attempt=1)) == 0
    assert world.item(source) == before


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_recording_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        source, waiting = world.upload(), world.upload()
        folder = running(world, source, waiting)
        world.put_entry(waiting, Status.VALID, batch_id=folder.batch_id)
        world.sent_alerts()
        try:
            with world.crash_at(call, is_done=is_done):
                record(world, ended(world, folder))
            break
        except Crash:
            record(world, ended(world, folder))
        assert (world.status(source), world.status(waiting)) == (Status.FAILED, Status.FAILED)
        assert {source.uri, waiting.uri} <= set(world.sent_alerts()[-1]["Message"].split("\n")), call
    assert call > 6


# ── FAILED means that nothing of the execution is alive ──


@pytest.mark.parametrize("job", [TRANSFORM_JOB, LOAD_JOB])
@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "WAITING", "STOPPING"])
def test_job_runs_that_are_alive_are_ended_first(world, job, state):
    source = world.upload()
    folder = running(world, source)
    world.glue.stopping_looks = 3
    run_id = world.glue.start(job, f"{folder.batch_id}-1", state)
    assert record(world, ended(world, folder)) == 1
    assert world.glue.state(run_id) == "STOPPED"
    assert world.status(source) is Status.FAILED


def test_both_runs_of_a_start_whose_reply_was_lost_are_ended_among_many_others(world):
    folder = running(world, world.upload())
    name = f"{folder.batch_id}-1"
    others = [world.glue.start(TRANSFORM_JOB, f"other-{n}") for n in range(3)]
    mine = [world.glue.start(TRANSFORM_JOB, name)]
    others += [world.glue.start(TRANSFORM_JOB, f"{folder.batch_id}-11"), world.glue.start(LOAD_JOB, "other-1")]
    mine += [world.glue.start(TRANSFORM_JOB, name)]
    others += [world.glue.start(TRANSFORM_JOB, f"{folder.batch_id}-2")]
    record(world, ended(world, folder))
    assert {world.glue.state(run_id) for run_id in mine} == {"STOPPED"}
    assert {world.glue.state(run_id) for run_id in others} == {"RUNNING"}


def test_runs_that_have_ended_are_left_alone(world):
    folder = running(world, world.upload())
    runs = {
        state: world.glue.start(TRANSFORM_JOB, f"{folder.batch_id}-1", state)
        for state in ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR")
    }
    record(world, ended(world, folder))
    assert {state: world.glue.state(run_id) for state, run_id in runs.items()} == {state: state for state in runs}


def test_while_a_job_run_is_alive_nothing_is_failed(world):
    source = world.upload()
    folder = running(world, source)
    world.glue.stopping_looks = 5
    world.glue.start(TRANSFORM_JOB, f"{folder.batch_id}-1")
    world.sent_alerts()
    times = iter([True])
    with pytest.raises(JobRunsAlive):
        world.failure_path.record(ended(world, folder), lambda: next(times, False))
    assert world.status(source) is Status.RUNNING
    assert world.sent_alerts() == []
    assert record(world, ended(world, folder)) == 1


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_recording_may_die_anywhere_while_job_runs_end(world, is_done):
    for call in itertools.count(1):
        source = world.upload()
        folder = running(world, source)
        world.glue.runs.clear()  # more runs would be more pages, and so more calls than the last time
        world.glue.stopping_looks = 1
        run_id = world.glue.start(TRANSFORM_JOB, f"{folder.batch_id}-1")
        try:
            with world.crash_at(call, is_done=is_done) as calls:
                record(world, ended(world, folder))
            break
        except Crash:
            assert world.status(source) is Status.RUNNING or world.glue.state(run_id) == "STOPPED"
            record(world, ended(world, folder))
        assert world.status(source) is Status.FAILED
        assert world.glue.state(run_id) == "STOPPED"
    assert "glue.BatchStopJobRun" in calls


# ── The event comes late, twice or never ──


def test_a_failure_that_is_told_twice_is_recorded_once(world):
    source = world.upload()
    folder = running(world, source)
    record(world, ended(world, folder))
    failed = world.item(source)
    assert record(world, ended(world, folder, cause="another")) == 1
    assert world.item(source) == failed


@pytest.mark.parametrize("is_claimed", [False, True], ids=["waiting for its claim", "running"])
def test_a_failure_that_is_told_late_does_not_touch_the_next_attempt(world, is_claimed):
    source = world.upload()
    take(world, message(source))
    first = Run.holding(world, source).claimed()
    first.fail()
    take(world, ask(world.entry(source), Action.REDRIVE))
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


def test_a_failure_that_was_never_told_is_found_by_a_redrive_though_its_execution_is_forgotten(world):
    entry = standing(world, Status.RUNNING)
    assert world.state_machine.status(entry.execution_arn) == ""
    assert take(world, ask(entry, Action.REDRIVE)).outcomes == [Outcome.RENEWED]
    Run.holding(world, entry.source).go()
    assert world.status(entry.source) is Status.ARCHIVED


def test_what_was_published_before_the_failure_is_told_and_stays(world):
    done, source = world.upload(), world.upload()
    folder = running(world, done, source)
    world.put_entry(
        done, Status.PUBLISHED, batch_id=folder.batch_id, execution_arn=world.execution_arn(f"{folder.batch_id}-1")
    )
    world.sent_alerts()
    assert record(world, ended(world, folder)) == 1
    assert (world.status(done), world.status(source)) == (Status.PUBLISHED, Status.FAILED)
    [alert] = world.sent_alerts()
    assert "not archived yet" in alert["Message"]
    assert done.uri in alert["Message"]


def test_an_alert_about_thousands_of_inputs_is_short(world):
    sources = [world.upload() for _ in range(60)]
    folder = running(world, *sources)
    world.sent_alerts()
    record(world, ended(world, folder))
    [alert] = world.sent_alerts()
    assert "and 10 more" in alert["Message"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"message": "ValueError: no such bucket"}, "ValueError: no such bucket"),
        ({}, "FAILED"),
        ({"message": ""}, "FAILED"),
    ],
)
def test_a_job_run_that_no_execution_waits_for_is_alerted_of(world, told, reason):
    world.sent_alerts()
    world.failure_path.tell_of_job({"jobName": "maintain-lake", "jobRunId": "jr_1", "state": "FAILED", **told})
    (alert,) = world.sent_alerts()
    assert alert["Subject"] == "music-streams: maintain-lake FAILED"
    assert f"Reason: {reason}" in alert["Message"].split("\n")
    assert "music-streams maintain" in alert["Message"]
