"""Executions that wait for a free job run, are stopped or time out, with job runs that no execution waits for."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited
from tests.e2e.faults.victims import TRANSFORM, suspended
from tests.e2e.faults.world import CATALOGUE, RUN_TIMEOUT, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MAX_RUNS = 2  # TransformConcurrency in samconfig.toml
REFUSALS = 3
TOO_LONG = 8  # seconds


def test_execution_waits_for_a_free_job_run_until_there_is_one(world, victims):
    puts = []
    with ExitStack() as until_refused:
        for number in range(MAX_RUNS):
            puts.append(
                world.put_alone(f"stopped/{number}.csv", sample_data.streams(number, CATALOGUE, world.new_day(), 50))
            )
            until_refused.enter_context(suspended(victims.run(TRANSFORM, world.execution_of(puts[-1]))))
        waits = world.put_alone("stopped/waits.csv", sample_data.streams(9, CATALOGUE, world.new_day(), 50))
        awaited(lambda: refusals(world, world.entry(waits).execution_arn) >= REFUSALS, RUN_TIMEOUT)
        # Stop the execution of a suspended run: the run stops too.
        stopped = puts[0]
        world.stack.client("stepfunctions").stop_execution(executionArn=world.entry(stopped).execution_arn)
        failed = world.wait_for_status(stopped, Status.FAILED)
        assert failed.reason.startswith("ABORTED")
        assert not victims.runs(TRANSFORM, world.execution_of(stopped))
    world.wait_until_ended(puts[1], waits)
    world.redrive(stopped)
    world.wait_for_status(stopped, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(*puts, waits)


def refusals(world: World, execution_arn: str) -> int:
    """Return how often an execution was refused a job run, because too many were running."""
    pages = world.stack.client("stepfunctions").get_paginator("get_execution_history")
    events = [event for page in pages.paginate(executionArn=execution_arn) for event in page["events"]]
    errors = [event.get("taskFailedEventDetails", {}).get("error") for event in events]
    return errors.count("Glue.ConcurrentRunsExceededException")


def test_lost_response_to_start_job_run_changes_no_metric(world, victims):
    """Step Functions starts a second run, and both finish concurrently."""
    put = world.put_alone(
        "stopped/unanswered.csv", sample_data.streams(20, CATALOGUE, world.new_day(), 300, dirty=0.05)
    )
    execution = world.execution_of(put)
    start_unanswered(world, execution)
    victims.run(TRANSFORM, execution, frozenset({victims.run(TRANSFORM, execution).pid}))
    world.wait_for_status(put, Status.ARCHIVED)
    awaited(lambda: not victims.runs(TRANSFORM, execution), RUN_TIMEOUT)
    world.check_items()
    world.check_archived(put)
    # Both may have added the rows, which still count once. The next attempt leaves one copy.
    world.ask(put, Action.REPLAY)
    world.wait_for_status(put, Status.ARCHIVED, attempt=2)
    world.check()


def start_unanswered(world: World, execution: str) -> None:
    """Start a run like Step Functions does, without Step Functions waiting for it."""
    manifest = f"s3://{world.stack.lake_bucket}/runs/{execution.rpartition('-')[0]}/manifest.json"
    world.stack.client("glue").start_job_run(
        JobName=world.stack.outputs["TransformJobName"], Arguments={"--manifest": manifest, "--execution": execution}
    )


def test_execution_that_times_out_stops_all_its_job_runs(world, victims):
    with time_out_after(world, TOO_LONG):
        put = world.put_alone("stopped/too long.csv", sample_data.streams(21, CATALOGUE, world.new_day(), 50))
    execution = world.execution_of(put)
    known = victims.run(TRANSFORM, execution)
    with suspended(known):
        start_unanswered(world, execution)
        with suspended(victims.run(TRANSFORM, execution, frozenset({known.pid}))):
            failed = world.wait_for_status(put, Status.FAILED)
            assert failed.reason.startswith("TIMED_OUT")
            assert not victims.runs(TRANSFORM, execution)
    world.redrive(put)
    world.wait_for_status(put, Status.ARCHIVED, attempt=2)
    world.check()
    world.check_archived(put)


@contextmanager
def time_out_after(world: World, seconds: int) -> Iterator[None]:
    """Limit the executions that start meanwhile to a number of seconds."""
    states, arn = world.stack.client("stepfunctions"), world.stack.outputs["StateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter: dict[str, Any] = {**json.loads(definition), "TimeoutSeconds": seconds}
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)
