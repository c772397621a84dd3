"""Each DAG on a real Airflow beside the local cloud: problems are found, repaired, verified and reported."""

import contextlib
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from music_streams import clock
from music_streams.reconcile.findings import State
from music_streams.reconcile.plan import RepairKind
from music_streams.reconcile.reports import Report, Reports
from music_streams.stack import Stack
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.airflow.airflow_api import Airflow
from tests.e2e.faults.jobs import change_job
from tests.e2e.faults.victims import TRANSFORM, Victims, kill
from tests.e2e.faults.world import CATALOGUE, World, is_of
from tests.oracle import differences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NOW = {"grace_seconds": 0}


@pytest.fixture(scope="module")
def world(stack, airflow: Airflow) -> World:
    return World.of(stack)


@pytest.fixture(scope="module")
def victims(airflow_cloud) -> Victims:
    return Victims(airflow_cloud)


@pytest.fixture
def no_triage(airflow) -> Iterator[None]:
    """Pause on_execution_failed, so that failed executions wait for the reconciler."""
    airflow.api("PATCH", "dags/on_execution_failed", {"is_paused": True})
    yield
    airflow.api("PATCH", "dags/on_execution_failed", {"is_paused": False})


@contextlib.contextmanager
def lost_events(stack: Stack) -> Iterator[None]:
    """Lose the events of arrivals meanwhile."""
    [rule] = [rule["Name"] for rule in stack.client("events").list_rules()["Rules"] if "ArrivalsRule" in rule["Name"]]
    stack.client("events").disable_rule(Name=rule)
    try:
        yield
    finally:
        stack.client("events").enable_rule(Name=rule)


@contextlib.contextmanager
def broken_jobs(stack: Stack) -> Iterator[None]:
    """Let all runs of the transform fail meanwhile."""
    job = stack.client("glue").get_job(JobName=stack.outputs["TransformJobName"])["Job"]
    change_job(stack, "TransformJobName", {"--max_rejected_ratio": "nonsense"})
    try:
        yield
    finally:
        change_job(stack, "TransformJobName", {"--max_rejected_ratio": job["DefaultArguments"]["--max_rejected_ratio"]})


def streams(day: date, seed: int, rows: int = 200) -> bytes:
    return sample_data.streams(seed, CATALOGUE, day, rows)


def check_days(world: World, *days: date) -> None:
    """Check that the items of days equal the oracle's; other tests have days of their own."""
    expected = {key: item for key, item in world.expected().items.items() if any(is_of(item, day) for day in days)}
    actual = [item for item in world.items() if any(is_of(item, day) for day in days)]
    assert differences(expected, actual) == []


def reconcile(airflow: Airflow, stack: Stack, expected: str = "success", **params: Any) -> Report:
    """Run the DAG by hand, and return its report."""
    run_id = airflow.trigger("reconcile_streams", {**NOW, **params})
    state = airflow.wait("reconcile_streams", run_id)
    assert state == expected, airflow.summary("reconcile_streams", run_id)
    report = Reports(stack.s3, stack.lake_bucket).latest()
    assert report is not None
    assert report.by == run_id
    return report


def state_before(report: Report, source_id: str) -> State:
    """Return the state of a file before the repairs."""
    return next(file.state for file in report.before.files if file.source_id == source_id)


def test_files_without_event_or_validation_are_only_reported_by_a_dry_run_and_then_processed(world, airflow, stack):
    day = world.new_day()
    with lost_events(stack):
        lost, unfinished = world.put("lost.csv", streams(day, 1)), world.put("unfinished.csv", streams(day, 2))
        assert stack.ledger.claim(world.landed(unfinished), 300)
        _set(stack, unfinished.source_id, "updated_at", clock.seconds_before(clock.now(), 3600))  # an hour ago
        dry = reconcile(airflow, stack, dry_run=True)
        reconcile(airflow, stack, expected="failed", redrive=False)
        # On AWS an event might be in flight; here none was sent.
        assert stack.ledger.entry(lost.source_id) is None
        assert world.entry(unfinished).status is Status.RECEIVED
        report = reconcile(airflow, stack)
    assert (dry.dry_run, dry.is_whole, len(dry.repairs)) == (True, False, 2)
    assert state_before(report, lost.source_id) is State.MISSING
    assert state_before(report, unfinished.source_id) is State.STUCK
    assert {repair.source_id for repair in report.repairs} == {lost.source_id, unfinished.source_id}
    assert report.is_whole
    world.check_archived(lost, unfinished)
    check_days(world, day)


def test_wrong_missing_and_unexpected_items_are_repaired(world, airflow, stack):
    day = world.new_day()
    world.wait_until_ended(world.put("right.csv", streams(day, 3)))
    genres = sorted(pk for pk, _ in world.of_day(day) if pk.startswith("GENRE#"))
    key = {"pk": genres[0], "sk": f"DAY#{day}"}
    stack.metrics.update_item(
        Key=key, UpdateExpression="SET listen_count = :wrong", ExpressionAttributeValues={":wrong": 1_000_000}
    )
    stack.metrics.delete_item(Key={"pk": genres[1], "sk": f"DAY#{day}"})
    item = stack.metrics.get_item(Key={"pk": genres[2], "sk": f"DAY#{day}"})["Item"]
    stack.metrics.put_item(Item={**item, "pk": "GENRE#nobody plays it"})
    report = reconcile(airflow, stack)
    [drifted] = report.before.bad_days
    assert (drifted.day, drifted.count) == (str(day), 3)
    assert [repair.what for repair in report.repairs] == [RepairKind.REBUILD]
    assert report.is_whole
    check_days(world, day)


def test_files_of_a_killed_run_are_retried_before_the_next_reconciliation(world, airflow, stack, victims):
    put = world.put_alone("killed.csv", streams(world.new_day(), 4))
    execution = world.execution_of(put)
    for _ in range(2):  # The state machine retries the job once.
        kill(victims.run(TRANSFORM, execution))
    assert world.ended(execution) == "FAILED"
    entry = world.wait_for_status(put, Status.ARCHIVED, attempt=2)
    assert entry.failures == 0
    world.check_archived(put)
    runs = airflow.api("GET", "dags/on_execution_failed/dagRuns?order_by=-id&limit=1")["dag_runs"]
    airflow.succeed("on_execution_failed", runs[0]["dag_run_id"])


def test_a_gap_that_no_repair_closes_fails_every_run_until_it_is_closed(world, airflow, stack, no_triage):
    put = world.put("vanished.csv", streams(world.new_day(), 9))
    [entry] = world.wait_until_ended(put)
    copy = {"Bucket": entry.source.bucket, "Key": entry.archive_key}
    content = stack.s3.get_object(**copy)["Body"].read()
    stack.s3.delete_object(**copy)
    with broken_jobs(stack):
        days = [world.new_day(), world.new_day()]
        failing, poison = world.put("failing.csv", streams(days[0], 5)), world.put("poison.csv", streams(days[1], 6))
        world.wait_for_status(failing, Status.FAILED)
        world.wait_for_status(poison, Status.FAILED)
        report = reconcile(airflow, stack, expected="failed")
    assert not report.is_whole
    assert state_before(report, put.source_id) is State.ORPHAN
    assert {file.source_id for file in report.findings.bad_files} == {each.source_id for each in (put, failing, poison)}
    assert {repair.source_id for repair in report.repairs} == {failing.source_id, poison.source_id}
    assert world.entry(failing).failures == 2

    stack.s3.put_object(**copy, Body=content)
    world.wait_until_ended(world.put("sound.csv", streams(world.new_day(), 7)))
    with broken_jobs(stack):
        world.redrive(poison)
        world.wait_for_status(poison, Status.FAILED, attempt=3)
    report = reconcile(airflow, stack)
    repairs = {repair.source_id: repair.what for repair in report.repairs}
    assert repairs == {failing.source_id: RepairKind.REDRIVE, poison.source_id: RepairKind.PUT_ASIDE}
    assert report.is_whole
    world.check_archived(failing)
    entry = world.entry(poison)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_attempts")
    world.streams.pop(poison.source_id)
    check_days(world, *days)


def test_a_backfill_by_hand_needs_a_day(airflow, world):
    run_id = airflow.trigger("backfill_streams")
    assert airflow.wait("backfill_streams", run_id) == "failed"
    assert "the run has no day" in airflow.summary("backfill_streams", run_id)


def _set(stack: Stack, source_id: str, name: str, value: str | int) -> None:
    stack.dynamodb.update_item(
        TableName=stack.outputs["FilesTableName"],
        Key={"source_id": source_id},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )
