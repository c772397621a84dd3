"""An execution is started once for each name."""

import json

import pytest
from botocore.exceptions import ClientError

from music_streams.state.run_files import RunFolder
from tests.integration.domain.world import LAKE


def folder(world):
    return RunFolder(LAKE, world.name("batch"))


def test_each_attempt_is_a_separate_execution_whose_input_is_its_manifest(world):
    batch = folder(world)
    for attempt in (1, 2):
        world.state_machine.start(batch, attempt)
        given = world.execution_input(f"{batch.batch_id}-{attempt}")
        assert json.loads(given) == {"manifest": batch.manifest_uri}
        assert world.state_machine.arn(batch.batch_id, attempt) == world.execution_arn(f"{batch.batch_id}-{attempt}")


@pytest.mark.parametrize("has_ended", [False, True], ids=["while it runs", "when it has ended"])
def test_a_second_start_is_the_same_execution(world, has_ended):
    batch, before = folder(world), world.executions()
    world.state_machine.start(batch, 1)
    if has_ended:
        world.end_execution(f"{batch.batch_id}-1")
    world.state_machine.start(batch, 1)
    assert world.executions() - before == {f"{batch.batch_id}-1"}
    assert world.state_machine.is_alive(world.state_machine.arn(batch.batch_id, 1)) is not has_ended


def test_an_unknown_execution_is_not_alive(world):
    arn = world.state_machine.arn("never", 1)
    assert (world.state_machine.status(arn), world.state_machine.is_alive(arn)) == ("", False)


def test_an_execution_with_a_pending_redrive_is_alive(world, monkeypatch):
    monkeypatch.setattr(world.sfn, "describe_execution", lambda **_: {"status": "PENDING_REDRIVE"})
    assert world.state_machine.is_alive("arn")


def test_other_errors_are_raised(world):
    gone = type(world.state_machine)(world.sfn, world.state_machine_arn.replace("process", "gone"))
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        gone.start(folder(world), 1)
    with pytest.raises(ClientError):
        gone.status("no arn")
