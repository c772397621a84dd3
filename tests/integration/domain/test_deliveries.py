"""Events are delivered twice, concurrently, late, in any order or never; objects are overwritten and deleted."""

import pytest

from music_streams.ingest import s3_events
from music_streams.ingest.outcomes import Outcome
from music_streams.reconcile.stalled import request_message
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.validate import Validate, concurrently, deliver, message
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, LANDING, RECEIVED_AT


def test_of_five_concurrent_deliveries_one_claims_and_the_others_are_acknowledged(world):
    source, before = world.upload(), world.executions()
    deliveries = [Validate(world, message(source)) for _ in range(5)]
    concurrently(*deliveries)
    outcomes = sorted(outcome for delivery in deliveries for outcome in delivery.outcomes)
    assert outcomes == [Outcome.DUPLICATE] * 4 + [Outcome.VALID]
    assert all(delivery.queue == [] for delivery in deliveries)
    run = Run.holding(world, source)
    assert world.executions() - before == {run.name}
    run.go()
    assert world.status(source) is Status.ARCHIVED


def test_many_events_that_are_delivered_five_times_concurrently_have_one_effect_each(world):
    sources, before = [world.upload() for _ in range(4)], world.executions()
    deliveries = [Validate(world, *map(message, sources[n:] + sources[:n])) for n in range(5)]
    concurrently(*deliveries)
    outcomes = [outcome for delivery in deliveries for outcome in delivery.outcomes]
    assert outcomes.count(Outcome.VALID) == len(sources)
    runs = {run.name: run for run in (Run.holding(world, source) for source in sources)}
    assert world.executions() - before == set(runs)
    listed = [source_id for run in runs.values() for source_id in run.claimed().claimed_ids]
    assert sorted(listed) == sorted(source.source_id for source in sources)


def test_five_concurrent_deliveries_of_an_invalid_file_quarantine_it_once(world):
    source = world.upload(b"")
    world.sent_alerts()
    deliveries = [Validate(world, message(source)) for _ in range(5)]
    concurrently(*deliveries)
    assert world.status(source) is Status.QUARANTINED
    assert world.content(source.kept_key("quarantine")) == b""
    assert not world.is_at_landing_key(source)
    assert [delivery.outcomes for delivery in deliveries].count([Outcome.QUARANTINED]) == 1


def test_every_version_of_a_key_is_processed_in_any_order_of_events(world):
    contents = [GOOD + b"%d,,\n" % n for n in range(3)]
    versions = [world.upload(content, "incoming/again-and-again.csv") for content in contents]
    for n in (2, 0, 1, 2):
        deliver(world, message(versions[n]))
    for version, content in zip(versions, contents, strict=True):
        Run.holding(world, version).go()
        entry = world.entry(version)
        assert entry.status is Status.ARCHIVED
        assert world.content(entry.archive_key) == content
        assert not world.is_at_landing_key(version)


def test_the_version_that_was_processed_is_archived_although_its_key_is_overwritten(world):
    key = "incoming/overwritten.csv"
    earlier = world.upload(GOOD, key)
    deliver(world, message(earlier))
    run = Run.holding(world, earlier).claimed()
    later = world.upload(GOOD + b"later,,\n", key)
    assert world.content(run.folder.key(f"input/{earlier.source_id}.csv"), "lake") == GOOD
    run.finish_jobs()
    run.settle()
    run.archive()
    assert world.content(world.entry(earlier).archive_key) == GOOD
    assert (world.is_at_landing_key(earlier), world.is_at_landing_key(later)) == (False, True)
    deliver(world, message(later))
    Run.holding(world, later).go()
    assert world.content(world.entry(later).archive_key) == GOOD + b"later,,\n"


def test_a_version_under_a_delete_marker_is_processed(world):
    source = world.upload()
    world.s3.delete_object(Bucket=LANDING, Key=source.key)
    assert deliver(world, message(source)).outcomes == [Outcome.VALID]
    Run.holding(world, source).go()
    assert world.content(source.kept_key("archive")) == GOOD
    assert not world.is_at_landing_key(source)


@pytest.mark.parametrize("is_redriven", [False, True], ids=["its event again", "a redrive"])
def test_an_object_that_is_gone_fails_once_and_is_not_retried(world, is_redriven):
    source, before = world.upload(), world.executions()
    world.s3.delete_object(Bucket=LANDING, Key=source.key, VersionId=source.version_id)
    deliver(world, message(source))
    failed = world.item(source)
    assert (failed["status"], failed["reason"]) == ("FAILED", "object_gone")
    for _ in range(3):
        body = request_message(world.entry(source), Action.REDRIVE) if is_redriven else message(source)
        again = deliver(world, body, lease_seconds=ALWAYS_EXPIRED)
        assert again.queue == []
    assert world.item(source) == failed
    assert world.executions() == before


def test_a_lost_event_can_be_recreated_and_the_late_original_is_a_duplicate(world):
    source = world.upload(key="incoming/lost + %2F [1].csv")
    assert deliver(world, s3_events.event_of(source)).outcomes == [Outcome.VALID]
    assert world.entry(source).source == source
    before = world.item(source)
    assert deliver(world, message(source)).outcomes == [Outcome.DUPLICATE]
    assert world.item(source) == before


@pytest.mark.parametrize("status", [status for status in Status if status not in {Status.RECEIVED, Status.VALID}])
def test_an_event_that_is_replayed_months_later_is_a_duplicate(world, status):
    source, before = world.upload(), world.executions()
    kept = source.kept_key("archive")
    world.s3.delete_object(Bucket=LANDING, Key=source.key, VersionId=source.version_id)
    held = {"batch_id": "long-expired", "execution_arn": world.execution_arn("long-forgotten-1")}
    world.put_entry(source, status, **held, archive_key=kept, updated_at=RECEIVED_AT.replace("2026", "2016"))
    item = world.item(source)
    assert deliver(world, message(source), lease_seconds=ALWAYS_EXPIRED).outcomes == [Outcome.DUPLICATE]
    assert world.item(source) == item
    assert world.executions() == before
