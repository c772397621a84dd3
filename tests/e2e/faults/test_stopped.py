"""Executions that wait for capacity, are stopped or time out, with job runs that no execution waits for."""

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

CAPACITY = 2  # TransformConcurrency in samconfig.toml
REFUSALS = 3
TOO_LONG = 8  # seconds


def test_a_run_waits_for_capacity_without_a_limit(world, victims):
    puts = []
    with ExitStack() as paused_runs:
        for number in range(CAPACITY):
            puts.append(
                world.put_alone(f"stopped/{number}.csv", sample_data.streams(number, CATALOGUE, world.new_day(), 50))
            )
            paused_runs.enter_context(held(victims.run(TRANSFORM, world.execution_of(puts[-1]))))
        waits = world.put_alone("stopped/waits.csv", sample_data.streams(9, CATALOGUE, world.new_day(), 50))
        awaited(lambda: refusals(world, world.entry(waits).execution_arn) >= REFUSALS, PATIENCE)
        # The execution of a paused run is stopped; a run of it whose start was not acknowledged waits too.
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
    """Return how often an execution could not start a job run for lack of capacity."""
    pages = world.stack.client("stepfunctions").get_paginator("get_execution_history")
    events = [event for page in pages.paginate(executionArn=execution_arn) for event in page["events"]]
    errors = [event.get("taskFailedEventDetails", {}).get("error") for event in events]
    return errors.count("Glue.ConcurrentRunsExceededException")


def test_a_job_run_whose_start_was_not_acknowledged_changes_no_metric(world, victims):
    """Step Functions starts another run, and both run concurrently."""
    put = world.put_alone(
        "stopped/unacknowledged.csv", sample_data.streams(20, CATALOGUE, world.new_day(), 300, dirty=0.05)
    )
    execution = world.execution_of(put)
    start_unacknowledged(world, execution)
    victims.run(TRANSFORM, execution, frozenset({victims.run(TRANSFORM, execution).pid}))
    world.come_to(put, Status.ARCHIVED)
    awaited(lambda: not victims.runs(TRANSFORM, execution), PATIENCE)
    world.check_items()
    world.check_archived(put)
    # Both may have added the rows, which count once. The next attempt leaves one copy.
    world.request(put, Action.REPLAY)
    world.come_to(put, Status.ARCHIVED, attempt=2)
    world.check()


def start_unacknowledged(world: World, execution: str) -> None:
    """Start a job run like Step Functions, but without its knowledge."""
    manifest = f"s3://{world.stack.lake_bucket}/runs/{execution.rpartition('-')[0]}/manifest.json"
    world.stack.client("glue").start_job_run(
        JobName=world.stack.outputs["TransformJobName"], Arguments={"--manifest": manifest, "--execution": execution}
    )


def test_when_an_execution_times_out_its_job_runs_stop(world, victims):
    with time_out_after(world, TOO_LONG):
        put = world.put_alone("stopped/too long.csv", sample_data.streams(21, CATALOGUE, world.new_day(), 50))
    execution = world.execution_of(put)
    acknowledged = victims.run(TRANSFORM, execution)
    with held(acknowledged):
        start_unacknowledged(world, execution)
        with held(victims.run(TRANSFORM, execution, frozenset({acknowledged.pid}))):
            failed = world.come_to(put, Status.FAILED)
            assert failed.reason.startswith("TIMED_OUT")
            assert not victims.runs(TRANSFORM, execution)
    world.redrive(put)
    world.come_to(put, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(put)


@contextmanager
def time_out_after(world: World, seconds: int) -> Iterator[None]:
    """Limit the duration of executions that start within the block."""
    states, arn = world.stack.client("stepfunctions"), world.stack.outputs["StateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter: dict[str, Any] = {**json.loads(definition), "TimeoutSeconds": seconds}
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)
