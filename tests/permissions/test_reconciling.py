"""A reconciliation makes only calls that OperatorPolicy and ReconcilerPolicy grant together."""

from typing import Any

import pytest

from music_streams.reconcile import backfill, waiting
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.plan import plan
from music_streams.reconcile.reconciler import Reconciler
from music_streams.reconcile.reports import Report, Reports
from music_streams.state.statuses import Status
from tests.integration.domain.run import DAY, Run
from tests.integration.domain.stored_sources import stored_entry
from tests.integration.domain.world import FILES, LAKE, LANDING, METRICS
from tests.integration.reconcile.conftest import world
from tests.integration.reconcile.parked_rows import NEW, archived, put_songs, rejected
from tests.integration.reconcile.stage import WINDOW, MemoryLake, stack_of
from tests.permissions.acting import acting
from tests.permissions.statements import policy_statements

__all__ = ["world"]

AT = "2026-11-22T00:00:00.000Z"


@pytest.fixture(scope="module")
def statements(template):
    return policy_statements(template, "OperatorPolicy", "ReconcilerPolicy")


@pytest.fixture
def stack(world):
    return stack_of(world)


@pytest.fixture
def logical_ids(world, stack):
    return {
        LANDING: "LandingBucket",
        LAKE: "LakeBucket",
        FILES: "FilesTable",
        METRICS: "MetricsTable",
        world.state_machine_arn: "ProcessStreams",
        world.topic_arn: "AlertsTopic",
        stack.outputs["ArrivalsQueueUrl"]: "ArrivalsQueue",
    }


def test_policies_grant_every_call_of_a_reconciliation(world, stack, statements, logical_ids, monkeypatch):
    source = world.upload()
    Run.of(world, source).go()
    stored_entry(world, Status.FAILED, failures=1)
    stored_entry(world, Status.PUBLISHED)
    world.upload()
    world.dynamodb.put_item(TableName=METRICS, Item={"pk": "GENRE#ghost", "sk": f"DAY#{DAY}", "day": DAY})
    put_songs(world, NEW)
    lake: Any = MemoryLake(rejected=[rejected(archived(world))])
    monkeypatch.setattr(LakeReader, "of", lambda _: lake)
    reconciler = Reconciler(stack, grace_seconds=0)
    with acting(statements, logical_ids) as acts:
        inspection = reconciler.inspect(WINDOW, [DAY])
        repairs = plan(inspection.findings, AT, 50).repairs
        reconciler.request_repairs(repairs)
        waiting.unsettled(stack, repairs)
        waiting.in_flight(stack, "", 0)
        backfill.replays(stack.ledger, DAY)
        report = Report("20261122T000000000Z", "test", dry_run=False, before=inspection.findings, after=None)
        reconciler.report(report, inspection.records)
        assert Reports(stack.s3, LAKE).latest()
    assert repairs
    assert inspection.findings.counts["PARKED"] == 1
    assert acts.refused == []
    assert {need.action for need in acts.granted} >= {"sqs:SendMessage", "sns:Publish", "states:ListExecutions"}


def test_policies_grant_every_call_of_a_triage(world, stack, statements, logical_ids):
    run = Run.of(world, world.upload()).claimed()
    run.fail()
    with acting(statements, logical_ids) as acts:
        findings = Reconciler(stack, grace_seconds=0).triage(run.arn)
    assert [file.state for file in findings.files] == ["FAILED"]
    assert acts.refused == []
