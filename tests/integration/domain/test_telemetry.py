"""Metrics count each transition of a file once and each run once, although steps are repeated."""

from dataclasses import replace
from typing import Any

import pytest

from music_streams.aws.telemetry import Metric, Telemetry
from music_streams.operate import backlog
from music_streams.run.archive import archive_sources
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import LoadReport, SourceOutcome, write_load_report
from music_streams.state.statuses import Status
from tests.integration.domain.run import ACCEPTED, RUN_ID, TOO_MANY_BAD_ROWS, Run
from tests.integration.domain.world import ALWAYS_EXPIRED, FILES, World, always

NOW = "2024-06-25T12:00:00.000Z"


class RecordedTelemetry(Telemetry):
    """Gives access to the recorded values."""

    def of(self, metric: Metric) -> list[float]:
        return [value for recorded, value in self._recorded if recorded is metric]

    @property
    def by_metric(self) -> dict[Metric, list[float]]:
        return {metric: self.of(metric) for metric in Metric if self.of(metric)}


@pytest.fixture
def telemetry() -> RecordedTelemetry:
    return RecordedTelemetry()


@pytest.fixture
def ledger(world, telemetry) -> Ledger:
    """The ledger with recorded telemetry."""
    return Ledger(FILES, telemetry=telemetry)


@pytest.fixture
def settlement(world: World, ledger: Ledger, telemetry: RecordedTelemetry) -> Settlement:
    quarantine = replace(world.quarantine, ledger=ledger)
    return replace(world.settlement, ledger=ledger, quarantine=quarantine, telemetry=telemetry)


def settle(settlement: Settlement, run: Run) -> int:
    return settlement.settle(run.folder.manifest_uri, run.arn, RUN_ID, always)


def run_of(world: World, *outcomes: SourceOutcome) -> Run:
    """A run of a file for each outcome, after its jobs."""
    run = Run.with_results(world, *outcomes)
    write_load_report(world.s3, run.folder, RUN_ID, LoadReport(items_written=40, items_refused=3))
    return run


def test_a_file_counts_as_received_once_although_its_event_repeats_or_its_claim_expires(world, ledger, telemetry):
    source = world.upload()
    ledger.claim(source, 300)
    ledger.claim(source, 300)
    assert ledger.claim(source, ALWAYS_EXPIRED)
    assert telemetry.by_metric == {Metric.FILES_RECEIVED: [1]}


def test_a_rejected_transition_is_not_counted(world, ledger, telemetry):
    run = run_of(world, ACCEPTED)
    [entry] = run.entries
    assert [ledger.mark_published(entry, ACCEPTED) for _ in range(2)] == [True, False]
    assert telemetry.of(Metric.FILES_PUBLISHED) == [1]
    assert (telemetry.of(Metric.ROWS_ACCEPTED), telemetry.of(Metric.ROWS_REJECTED)) == ([8], [2])


def test_files_rows_and_items_of_a_run_are_recorded_once_although_it_is_settled_twice(world, settlement, telemetry):
    run = run_of(world, ACCEPTED, replace(ACCEPTED, rows_accepted=4, rejected={"duplicate": 6}), TOO_MANY_BAD_ROWS)
    assert [settle(settlement, run) for _ in range(2)] == [0, 0]
    recorded = telemetry.by_metric
    assert all(seconds > 0 for seconds in recorded.pop(Metric.TIME_TO_PUBLISHED))
    assert sorted(recorded.pop(Metric.ROWS_ACCEPTED)) == [4, 8]
    assert sorted(recorded.pop(Metric.ROWS_REJECTED)) == [2, 6]
    assert recorded == {
        Metric.FILES_PUBLISHED: [1, 1],
        Metric.FILES_QUARANTINED: [1],
        Metric.REJECTED_ROW_RATIO: [0.4],
        Metric.DAYS_RECOMPUTED: [1],
        Metric.ITEMS_WRITTEN: [40],
        Metric.ITEMS_REFUSED: [3],
    }


def test_the_time_to_publication_is_recorded_for_the_first_publication_of_streams_only(world, ledger, telemetry):
    again, songs = world.upload(), world.upload(key=f"reference/songs/{world.name('songs')}.csv")
    for source, published_at in ((again, NOW), (songs, "")):
        held = {"execution_arn": world.execution_arn("b-2"), "batch_id": "b", "first_published_at": published_at}
        ledger.mark_published(world.put_entry(source, Status.RUNNING, **held), ACCEPTED)
    assert telemetry.of(Metric.FILES_PUBLISHED) == [1, 1]
    assert telemetry.of(Metric.TIME_TO_PUBLISHED) == []


def test_a_run_that_read_no_row_has_no_ratio(world, settlement, telemetry):
    settle(settlement, run_of(world, SourceOutcome(0, 0, {}, [])))
    assert telemetry.of(Metric.REJECTED_ROW_RATIO) == []


def test_a_run_whose_load_began_before_an_update_is_settled_without_its_report(world, settlement, telemetry):
    run = Run.of(world, world.upload()).claimed()
    run.finish_jobs()
    assert settle(settlement, run) == 0
    assert telemetry.of(Metric.REJECTED_ROW_RATIO) == [0.2]
    assert telemetry.of(Metric.ITEMS_WRITTEN) == []


def test_an_archived_file_is_counted_once(world, ledger, telemetry):
    run = run_of(world, ACCEPTED)
    run.settle()
    for _ in range(2):
        archive_sources(world.s3, ledger, run.folder.manifest_uri, run.arn, always)
    assert telemetry.by_metric == {Metric.FILES_ARCHIVED: [1]}


def test_every_transition_is_logged_with_the_file_and_its_batch(world, ledger, caplog):
    caplog.set_level("INFO", "music_streams")
    source = world.upload()
    claimed = ledger.claim(source, 300)
    assert claimed
    ledger.mark_valid(claimed, "batch")
    ledger.mark_running(world.entry(source), world.execution_arn("batch-1"))
    ledger.mark_failed(world.entry(source), world.execution_arn("batch-1"), "no memory")
    lines = [record for record in caplog.records if getattr(record, "source_id", "") == source.source_id]
    found: list[Any] = [(line.status, getattr(line, "batch_id", ""), getattr(line, "reason", "")) for line in lines]
    assert found == [
        ("RECEIVED", "", ""),
        ("VALID", "batch", ""),
        ("RUNNING", "batch", ""),
        ("FAILED", "batch", "no memory"),
    ]


class TestBacklog:
    """The gauges, with a ledger that was empty before."""

    @pytest.fixture(autouse=True)
    def _empty(self, world) -> None:
        for item in world.dynamodb.scan(TableName=FILES)["Items"]:
            world.dynamodb.delete_item(TableName=FILES, Key={"source_id": item["source_id"]})

    def test_every_gauge_is_zero_if_no_file_waits(self, ledger, telemetry):
        found = backlog.measure(ledger)
        found.record(telemetry, NOW)
        assert (found.oldest, found.waiting) == (None, 0)
        assert telemetry.by_metric == {metric: [0] for metric in Metric if metric.startswith(("Waiting", "Oldest"))}

    def test_files_are_counted_by_status(self, world, ledger, telemetry):
        for number, status in enumerate(Status):
            for _ in range(number):
                world.put_entry(world.upload(), status)
        found = backlog.measure(ledger)
        found.record(telemetry, NOW)
        assert found.counts == {status: list(Status).index(status) for status in found.counts}
        assert telemetry.of(Metric.WAITING_FAILED) == [list(Status).index(Status.FAILED)]

    def test_the_oldest_file_is_the_one_that_arrived_first(self, world, ledger):
        early, late = world.upload(), world.upload()
        early = replace(early, received_at="2024-06-25T11:40:00.000Z")
        late = replace(late, received_at="2024-06-25T11:50:00.000Z")
        world.put_entry(early, Status.RUNNING, updated_at="2024-06-25T11:59:00.000Z")
        world.put_entry(late, Status.RUNNING, updated_at="2024-06-25T11:51:00.000Z")
        assert backlog.measure(ledger).age(NOW) == 20 * 60

    def test_a_new_attempt_waits_since_it_began(self, world, ledger):
        world.put_entry(world.upload(), Status.VALID, attempt=2, validated_at="2024-06-25T11:59:00.000Z")
        assert backlog.measure(ledger).age(NOW) == 60

    @pytest.mark.parametrize("status", [Status.PUBLISHED, Status.FAILED, Status.ARCHIVED, Status.QUARANTINED])
    def test_a_file_that_has_metrics_or_needs_none_does_not_wait(self, world, ledger, status):
        world.put_entry(world.upload(), status)
        assert backlog.measure(ledger).age(NOW) == 0

    def test_an_arrival_in_the_future_has_age_zero(self, world, ledger):
        world.put_entry(replace(world.upload(), received_at="2024-06-25T12:00:01.000Z"), Status.VALID)
        assert backlog.measure(ledger).age(NOW) == 0

    def test_the_backlog_is_limited_and_includes_the_oldest_files(self, world, ledger, monkeypatch):
        monkeypatch.setattr(backlog, "MOST_READ", 2)
        for minute in ("58", "57", "59"):
            timestamp = f"2024-06-25T11:{minute}:00.000Z"
            world.put_entry(replace(world.upload(), received_at=timestamp), Status.VALID, updated_at=timestamp)
        found = backlog.measure(ledger)
        assert (found.waiting, found.age(NOW)) == (2, 180)
