"""Rebuild what is lost: metrics from the lake, the lake from the archive."""

import pytest

from music_streams import clock
from music_streams.reconcile import stalled
from music_streams.state import requests
from music_streams.state.object_keys import Kind
from music_streams.state.requests import Action, Rebuild
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import DATABASE, LISTENS, REJECTED_ROWS
from tests.e2e.faults.world import CATALOGUE, RUN_TIMEOUT, World, now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def a_history(world) -> None:
    """Create some snapshots if the lake has none: the sequence numbers of a new lake start at 1."""
    if not world.lake.rows(LISTENS):
        put = world.put("rebuild.csv", sample_data.streams(1, CATALOGUE, world.new_day(), 100, dirty=0.1))
        world.wait_for_status(put, Status.ARCHIVED)
        world.ask(put, Action.REPLAY)
        world.wait_for_status(put, Status.ARCHIVED, attempt=2)


def test_lost_metrics_are_rebuilt_from_the_lake(world):
    with world.stack.metrics.batch_writer() as table:
        for item in world.items():
            table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    assert not world.items()
    request = Rebuild(stalled.days_known(world.stack.ledger), clock.timestamp(now()))
    world.send(requests.to_message(request))
    assert world.ended(f"{request.batch_id}-1") == "SUCCEEDED"
    world.check()


def test_lost_lake_is_rebuilt_from_the_archive(world):
    before = world.lake.metadata(LISTENS)
    lose_the_lake(world)
    entries = [each for each in world.stack.ledger.with_status(Status.ARCHIVED) if each.source.kind is Kind.STREAMS]
    world.send(*(stalled.request_message(entry, Action.REPLAY) for entry in entries))
    attempts = {entry.source.source_id: entry.attempt for entry in entries}

    def are_all_replayed() -> bool:
        current = world.stack.ledger.entries(attempts).values()
        return all(e.status is Status.ARCHIVED and e.attempt > attempts[e.source.source_id] for e in current)

    awaited(are_all_replayed, RUN_TIMEOUT)
    world.check()
    after = world.lake.metadata(LISTENS)
    assert after["table-uuid"] != before["table-uuid"]
    assert after["last-sequence-number"] < before["last-sequence-number"]
    assert {item["lake_uuid"] for item in world.items()} == {after["table-uuid"]}


def lose_the_lake(world: World) -> None:
    for table in (LISTENS, REJECTED_ROWS):
        world.stack.client("glue").delete_table(DatabaseName=DATABASE, Name=table)
    for key in world.lake.files("warehouse/"):
        world.stack.s3.delete_object(Bucket=world.stack.lake_bucket, Key=key)
