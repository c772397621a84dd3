"""A run of 10,000 files in functions with a timeout: each invocation processes some slices and returns little."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest

from music_streams.aws.alert_sender import Alerts
from music_streams.aws.slices import SLICE
from music_streams.run.archive import archive_sources
from music_streams.run.claim import claim_sources
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, Summary, write_manifest, write_result
from music_streams.state.sources import Source, batch_id_of
from music_streams.state.statuses import Status
from tests.integration.domain.run import ACCEPTED, DAY, RUN_ID, TOO_MANY_BAD_ROWS, Run
from tests.integration.domain.world import FILES, GOOD, HEADER, LAKE, LANDING, RECEIVED_AT, always, never
from tests.integration.load.memory_dynamodb import MemoryDynamoDB
from tests.stateful.memory_s3 import MemoryS3

COUNT = 10_000
SLICES_PER_ENTRY = 60
BAD = 3  # rejected by the run


def little_time() -> Callable[[], bool]:
    """Return a clock that leaves time for SLICES_PER_ENTRY slices."""
    remaining = iter(range(SLICES_PER_ENTRY - 1))
    return lambda: next(remaining, None) is not None


class Events:
    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        self.details += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}


class Topic:
    def publish(self, **_: str) -> None:
        """Ignore the alert."""


class LargeRun:
    """A run in memory, because moto would take minutes for so many calls."""

    def __init__(self) -> None:
        self.s3 = cast("Any", MemoryS3({LANDING}, lambda: datetime.now(UTC)))
        self.dynamodb = MemoryDynamoDB({FILES: ("source_id",)})
        self.ledger = Ledger(FILES, self.dynamodb)
        self.events = cast("Any", Events())
        quarantine = Quarantine(self.s3, self.ledger, Alerts(cast("Any", Topic()), "topic"))
        self.settlement = Settlement(self.s3, self.events, self.ledger, quarantine, 0.2)
        self.sources = [self._upload(f"incoming/{n}.csv") for n in range(COUNT)]
        self.folder = RunFolder(LAKE, batch_id_of(source.source_id for source in self.sources))
        self.arn = f"arn:aws:states:us-east-1:123456789012:execution:process:{self.folder.batch_id}-1"
        listed = [
            ManifestSource(source.source_id, "streams", f"{source.source_id}.csv", HEADER, RECEIVED_AT, 1)
            for source in self.sources
        ]
        write_manifest(self.s3, self.folder, Manifest(self.folder.batch_id, listed))
        for source in self.sources:
            claimed = self.ledger.claim(source, 300)
            assert claimed
            self.ledger.mark_valid(claimed, self.folder.batch_id)

    def _upload(self, key: str) -> Source:
        version_id = self.s3.put_object(Bucket=LANDING, Key=key, Body=GOOD)["VersionId"]
        return Source(LANDING, key, version_id, len(GOOD), RECEIVED_AT)

    def finish_jobs(self) -> None:
        outcomes = {
            source.source_id: TOO_MANY_BAD_ROWS if n < BAD else ACCEPTED for n, source in enumerate(self.sources)
        }
        summary = Summary(self.folder.batch_id, f"{self.folder.batch_id}-1", 7, "uuid", [DAY], "metrics/1", outcomes)
        write_result(self.s3, self.folder, RUN_ID, summary)

    def count(self, status: Status) -> int:
        return sum(item["status"] == status for item in self.dynamodb.items(FILES))


def repeated(step: Callable[[], int]) -> list[int]:
    """Call a step until nothing is left; return what was left after each call."""
    left = [step()]
    while left[-1] and len(left) < COUNT / SLICE:
        left.append(step())
    return left


def test_ten_thousand_files_pass_the_steps_in_slices():
    run = LargeRun()
    expected = [*range(COUNT - SLICES_PER_ENTRY * SLICE, 0, -SLICES_PER_ENTRY * SLICE), 0]

    def claim() -> int:
        claim = claim_sources(run.s3, run.ledger, run.folder.manifest_uri, run.arn, little_time())
        assert claim.has_work
        assert len(json.dumps(asdict(claim))) < 100
        return claim.left

    assert repeated(claim) == expected
    assert run.count(Status.RUNNING) == COUNT

    run.finish_jobs()
    settle = partial(run.settlement.settle, run.folder.manifest_uri, run.arn, RUN_ID)
    assert repeated(lambda: settle(little_time())) == expected
    assert (run.count(Status.PUBLISHED), run.count(Status.QUARANTINED)) == (COUNT - BAD, BAD)
    assert [detail["sources"] for detail in run.events.details] == [COUNT - BAD], "announced once, when all are settled"

    left = repeated(lambda: archive_sources(run.s3, run.ledger, run.folder.manifest_uri, run.arn, little_time()))
    assert left == [*range(COUNT - BAD - SLICES_PER_ENTRY * SLICE, 0, -SLICES_PER_ENTRY * SLICE), 0]
    assert run.count(Status.ARCHIVED) == COUNT - BAD
    assert run.s3.keys(LANDING, "incoming/") == []
    assert len(run.s3.keys(LANDING, "archive/")) == COUNT - BAD


STEPS = {
    "claim": (Status.VALID, Status.RUNNING, lambda run: run.claim(never).left),
    "settle": (Status.RUNNING, Status.PUBLISHED, lambda run: run.settle(never)),
    "archive": (Status.PUBLISHED, Status.ARCHIVED, lambda run: run.archive(never)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_without_time_processes_one_slice_in_each_invocation(world, step):
    run = Run.of(world, *(world.upload() for _ in range(SLICE + 6)))
    if step != "claim":
        run.claim()
        run.finish_jobs()
    if step == "archive":
        run.settle()
    before, after, perform = STEPS[step]
    world.sent_events()
    assert perform(run) == 6
    assert sorted(entry.status for entry in run.entries) == sorted([before] * 6 + [after] * SLICE)
    assert world.sent_events() == []
    assert perform(run) == 0
    assert {entry.status for entry in run.entries} == {after}
    assert len(world.sent_events()) == (step == "settle")


def test_an_unfinished_claim_does_not_list_the_claimed_sources(world):
    run = Run.of(world, *(world.upload() for _ in range(SLICE + 6)))
    other = run.entries[-1].source
    world.batch(other)
    assert run.claim(never).left in {5, 6}
    with pytest.raises(world.s3.exceptions.NoSuchKey):
        _ = run.claimed_ids
    assert run.claim(always).left == 0
    assert len(run.claimed_ids) == SLICE + 5
    assert other.source_id not in run.claimed_ids
