"""After the jobs each source of the run is published, or quarantined for its rows."""

import itertools

import pytest

from music_streams.ledger import Status
from music_streams.runs import SourceOutcome, Summary, write_summary
from music_streams.settle import Settlement
from tests.integration.domain.world import GOOD, Crash

ACCEPTED = SourceOutcome(10, 8, {"unknown_track": 2}, ["2024-06-25"])
TOO_BAD = SourceOutcome(10, 0, {"bad_user_id": 7, "duplicate": 1}, [], "too_many_bad_rows")


class Run:
    """A run of one good and one bad file, its jobs done."""

    def __init__(self, world):
        self.world = world
        self.good, self.bad = world.upload(), world.upload()
        folder = world.batch(self.good, self.bad)
        self.arn = world.execution_arn(f"{folder.batch_id}-1")
        world.batch(self.good, self.bad, status=Status.RUNNING, execution_arn=self.arn)
        outcomes = {self.good.source_id: ACCEPTED, self.bad.source_id: TOO_BAD}
        self.summary = Summary(
            folder.batch_id, f"{folder.batch_id}-1", 7, "uuid", ["2024-06-25"], "metrics/1", outcomes
        )
        write_summary(world.s3, folder, self.summary)
        self.folder = folder

    def settle(self):
        settlement = Settlement(self.world.s3, self.world.ledger, self.world.quarantine)
        return settlement.settle(self.folder.manifest_uri, self.arn)


def test_a_good_source_is_published_with_its_counts(world):
    run = Run(world)
    run.settle()
    item = world.item(run.good)
    assert item["status"] == "PUBLISHED"
    assert (item["rows_read"], item["rows_accepted"], item["rejected"]) == (10, 8, {"unknown_track": 2})
    assert item["days"] == ["2024-06-25"]
    assert world.has(run.good)


def test_a_source_of_too_many_bad_rows_is_quarantined_with_its_counts_and_an_alert(world):
    run = Run(world)
    world.sent_alerts()
    run.settle()
    entry = world.entry(run.bad)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_bad_rows")
    assert world.content(entry.archive_key) == GOOD
    assert not world.has(run.bad)
    assert world.item(run.bad)["rejected"] == {"bad_user_id": 7, "duplicate": 1}
    (alert,) = world.sent_alerts()
    assert "7 bad_user_id" in alert["Message"]


def test_the_event_tells_what_was_published(world):
    run = Run(world)
    detail = {"batch_id": run.folder.batch_id, "version": 7, "days": ["2024-06-25"], "sources": 1, "rows_accepted": 8}
    assert run.settle() == detail
    assert run.settle() == detail


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_a_settlement_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        run = Run(world)
        world.sent_alerts()
        try:
            with world.crash_at(call, is_done=is_done):
                run.settle()
            break
        except Crash:
            run.settle()
        assert (world.status(run.good), world.status(run.bad)) == (Status.PUBLISHED, Status.QUARANTINED)
        assert world.content(run.bad.kept_key("quarantine")) == GOOD
        assert not world.has(run.bad), call
        assert world.sent_alerts(), call
    assert call > 10


def test_what_another_execution_holds_is_left_alone(world):
    run = Run(world)
    world.put_entry(run.good, Status.RUNNING, batch_id="other", execution_arn=world.execution_arn("other-1"))
    before = world.item(run.good)
    run.settle()
    assert world.item(run.good) == before
