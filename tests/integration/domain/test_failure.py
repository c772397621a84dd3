"""An execution that failed, timed out or was aborted leaves its sources FAILED where they lie, with an alert."""

import itertools
import json

import pytest

from music_streams.failure import record_failure
from music_streams.ledger import Status
from tests.integration.domain.world import Crash


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
    return record_failure(world.s3, world.ledger, world.alerts, detail)


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
