"""Executions that wait for room, are stopped or take too long, with job runs that nobody waits for."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited
from tests.e2e.faults.victims import TRANSFORM, held
from tests.e2e.faults.world import CATALOGUE, PATIENCE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOM = 2  # TransformConcurrency in samconfig.toml
REFUSALS = 3
TOO_LONG = 8  # seconds


def test_a_run_waits_for_room_as_long_as_it_takes(world, victims):
    puts = []
    with ExitStack() as until_refused:
        for number in range(ROOM):
            puts.append(
                world.put_alone(f"stopped/{number}.csv", sample_data.streams(number, CATALOGUE, world.new_day(), 50))
            )
            until_refused.enter_context(held(victims.run(TRANSFORM, world.execution_of(puts[-1]))))
        waits = world.put_alone("stopped/waits.csv", sample_data.streams(9, CATALOGUE, world.new_day(), 50))
        awaited(lambda: refusals(world, world.entry(waits).execution_arn) >= REFUSALS, PATIENCE)
        # Of one that is held the execution is stopped meanwhile; a run of it whose start went unanswered waits too.
        stopped = puts[0]
        world.stack.client("stepfunctions").stop_execution(executionArn=world.entry(stopped).execution_arn)
        failed = world.come_to(stopped, Status.FAILED)
        assert failed.reason.startswith("ABORTED")
        assert not victims.runs(TRANSFORM, world.execution_of(stopped))
    world.settle(puts[1], waits)
    world.redrive(stopped)
    world.come_to(stopped, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(*puts, waits)


def refusals(world: World, execution_arn: str) -> int:
    """How often a job had no room for an execution."""
    pages = world.stack.client("stepfunctions").get_paginator("get_execution_history")
    events = [event for page in pages.paginate(executionArn=execution_arn) for event in page["events"]]
    errors = [event.get("taskFailedEventDetails", {}).get("error") for event in events]
    return errors.count("Glue.ConcurrentRunsExceededException")


def test_a_run_whose_start_went_unanswered_changes_no_number(world, victims):
    """Step Functions starts another, and both go to their end side by side."""
    put = world.put_alone(
        "stopped/unanswered.csv", sample_data.streams(20, CATALOGUE, world.new_day(), 300, dirty=0.05)
    )
    execution = world.execution_of(put)
    start_unanswered(world, execution)
    victims.run(TRANSFORM, execution, frozenset({victims.run(TRANSFORM, execution).pid}))
    world.come_to(put, Status.ARCHIVED)
    awaited(lambda: not victims.runs(TRANSFORM, execution), PATIENCE)
    world.check_items()
    world.check_archived(put)
    # Both may have added the rows, which count once all the same. The next attempt leaves one copy.
    world.ask(put, Action.REPLAY)
    world.come_to(put, Status.ARCHIVED, attempt=2)
    world.check()


def start_unanswered(world: World, execution: str) -> None:
    """A run as Step Functions starts it, which that does not know."""
    manifest = f"s3://{world.stack.lake_bucket}/runs/{execution.rpartition('-')[0]}/manifest.json"
    world.stack.client("glue").start_job_run(
        JobName=world.stack.outputs["TransformJobName"], Arguments={"--manifest": manifest, "--execution": execution}
    )


def test_when_an_execution_times_out_nothing_of_it_goes_on(world, victims):
    with time_out_after(world, TOO_LONG):
        put = world.put_alone("stopped/too long.csv", sample_data.streams(21, CATALOGUE, world.new_day(), 50))
    execution = world.execution_of(put)
    known = victims.run(TRANSFORM, execution)
    with held(known):
        start_unanswered(world, execution)
        with held(victims.run(TRANSFORM, execution, frozenset({known.pid}))):
            failed = world.come_to(put, Status.FAILED)
            assert failed.reason.startswith("TIMED_OUT")
            assert not victims.runs(TRANSFORM, execution)
    world.redrive(put)
    world.come_to(put, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(put)


@contextmanager
def time_out_after(world: World, seconds: int) -> Iterator[None]:
    """Executions that start meanwhile have no longer than that."""
    states, arn = world.stack.client("stepfunctions"), world.stack.outputs["StateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter: dict[str, Any] = {**json.loads(definition), "TimeoutSeconds": seconds}
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)
