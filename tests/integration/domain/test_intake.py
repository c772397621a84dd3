"""validate claims, validates, stages and starts the source of each message once, despite crashes and duplicates."""

import itertools
import json
from dataclasses import replace

import pytest

from music_streams.aws import objects
from music_streams.ingest.outcomes import Outcome
from music_streams.ingest.time_limits import InvocationOutOfTime
from music_streams.reconcile import stalled
from music_streams.state.requests import Action
from music_streams.state.run_files import RunFolder, read_manifest
from music_streams.state.sources import batch_id_of
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.stored_sources import stored_entry
from tests.integration.domain.validate import Validate, ample_time, deliver, message
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, HEADER, LAKE, LANDING, World, before_and_after

NO_COLUMNS = b"user_id,track_id\n"


def test_valid_files_even_two_versions_of_a_key_are_staged_listed_and_started_as_one_batch(world):
    keys = ["", "incoming/again.csv", "incoming/again.csv"]
    sources = [world.upload(GOOD + b"%d,,\n" % n, key) for n, key in enumerate(keys)]
    assert deliver(world, *map(message, sources)).outcomes == [Outcome.VALID] * 3
    batch_id = batch_id_of(source.source_id for source in sources)
    folder = RunFolder(LAKE, batch_id)
    listed = read_manifest(world.s3, folder).sources
    assert [element.source_id for element in listed] == sorted(source.source_id for source in sources)
    by_id = {source.source_id: source for source in sources}
    for element in listed:
        assert element.input == f"{element.source_id}.csv"
        assert element.header == HEADER
        assert element.received_at == by_id[element.source_id].received_at
    for n, source in enumerate(sources):
        assert world.content(folder.key(f"input/{source.source_id}.csv"), LAKE) == GOOD + b"%d,,\n" % n
        assert (world.status(source), world.entry(source).batch_id) == (Status.VALID, batch_id)
    given = world.execution_input(f"{batch_id}-1")
    assert given is not None
    assert json.loads(given) == {"manifest": folder.manifest_uri}


@pytest.mark.parametrize(
    ("content", "key", "reason"),
    [
        (NO_COLUMNS, "", "missing_columns"),
        (b"", "", "empty_file"),
        (GOOD + b"\xff", "", "not_utf8"),
        (GOOD, "incoming/a.txt", "bad_key"),
        (GOOD * 100, "", "too_large"),
    ],
)
def test_an_invalid_file_is_quarantined_and_starts_no_execution(world, content, key, reason):
    source = world.upload(content, key)
    before = world.executions()
    batch = world.intake(max_file_bytes=len(GOOD) * 2).start_invocation(ample_time)
    assert batch.process(message(source)) is Outcome.QUARANTINED
    batch.launch()
    assert (world.status(source), world.entry(source).reason) == (Status.QUARANTINED, reason)
    assert not world.is_at_landing_key(source)
    assert world.executions() == before


def test_a_reference_file_is_listed_and_stays_where_it_landed(world):
    users = world.upload(b"user_id,user_country\n", "reference/users/a.csv")
    assert deliver(world, message(users)).outcomes == [Outcome.VALID]
    folder = RunFolder(LAKE, world.entry(users).batch_id)
    (listed,) = read_manifest(world.s3, folder).sources
    assert (listed.source_id, listed.kind) == (users.source_id, "users")
    assert world.content(folder.key(f"input/{listed.input}"), LAKE) is None
    assert world.is_at_landing_key(users)


def test_an_object_that_is_deleted_before_it_is_staged_fails_alone(world):
    gone, good = world.upload(), world.upload()
    batch = world.intake().start_invocation(ample_time)
    assert [batch.process(message(source)) for source in (gone, good)] == [Outcome.VALID] * 2
    world.s3.delete_object(Bucket=LANDING, Key=gone.key, VersionId=gone.version_id)
    batch.launch()
    assert (world.status(gone), world.entry(gone).reason) == (Status.FAILED, "object_gone")
    assert world.entry(good).batch_id == batch_id_of([good.source_id])
    assert read_manifest(world.s3, RunFolder(LAKE, world.entry(good).batch_id)).source_ids == [good.source_id]


def test_a_batch_whose_objects_are_all_deleted_before_they_are_staged_starts_no_execution(world):
    gone = world.upload()
    before = world.executions()
    batch = world.intake().start_invocation(ample_time)
    batch.process(message(gone))
    world.s3.delete_object(Bucket=LANDING, Key=gone.key, VersionId=gone.version_id)
    batch.launch()
    assert world.executions() == before


def test_a_file_is_not_claimed_if_too_little_time_is_left(world):
    source = world.upload()
    with pytest.raises(InvocationOutOfTime):
        world.intake().start_invocation(lambda: 74.9).process(message(source))
    assert world.ledger.entry(source.source_id) is None
    assert world.intake().start_invocation(lambda: 75.1).process(message(source)) is Outcome.VALID


def test_a_request_changes_nothing_if_too_little_time_is_left(world):
    entry = stored_entry(world, Status.FAILED)
    before = world.item(entry.source)
    batch = world.intake().start_invocation(lambda: 74.9)
    with pytest.raises(InvocationOutOfTime, match=entry.source.source_id):
        batch.process(stalled.request_message(entry, Action.REDRIVE))
    batch.launch()
    assert world.item(entry.source) == before


class Batch:
    """Messages of every kind, one of them a duplicate."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.good = [world.upload(GOOD + b"%d,,\n" % n) for n in range(2)]
        self.bad = world.upload(NO_COLUMNS)
        self.no_event = "{}"
        sent = [self.good[0], self.good[1], self.bad, self.good[0]]
        self.validate = Validate(world, *map(message, sent), self.no_event)
        self._runs: list[Run] = []

    def claim(self) -> None:
        """Perform the claim of each execution that was started since the last call, then end it."""
        for group in (self.good[:1], self.good[1:], self.good):
            run = Run(self.world, RunFolder(LAKE, batch_id_of(source.source_id for source in group)))
            if run not in self._runs and self.world.execution_input(run.name):
                run.claimed().end()
                self._runs.append(run)

    def check(self) -> None:
        """Assert that each valid source runs unchanged in one execution, and that only the bad message is left."""
        assert self.validate.queue == [self.no_event]
        listed = [source_id for run in self._runs for source_id in run.claimed_ids]
        assert sorted(listed) == sorted(source.source_id for source in self.good)
        for n, source in enumerate(self.good):
            entry = self.world.entry(source)
            assert entry.status is Status.RUNNING
            assert entry.execution_arn == self.world.execution_arn(f"{entry.batch_id}-1")
            staged = f"runs/{entry.batch_id}/input/{source.source_id}.csv"
            assert self.world.content(staged, LAKE) == GOOD + b"%d,,\n" % n
        assert self.world.status(self.bad) is Status.QUARANTINED
        assert not self.world.is_at_landing_key(self.bad)


@before_and_after
@pytest.mark.parametrize("together", [True, False], ids=["redelivered together", "redelivered one by one"])
def test_an_invocation_is_idempotent_after_a_crash_at_any_call(world, is_done, together):
    for call in itertools.count(1):
        batch = Batch(world)
        is_dead = world.crashes(batch.validate.deliver, call, is_done=is_done)
        if is_dead and together:
            batch.validate.deliver(ALWAYS_EXPIRED)
        elif is_dead:
            batch.claim()
            batch.validate.deliver_one_by_one_backwards(ALWAYS_EXPIRED)
        batch.claim()
        batch.check()
        if not is_dead:
            break
    assert call > 20


def test_the_same_events_may_be_delivered_again_at_any_call(world):
    for call in itertools.count(1):
        batch = Batch(world)
        other = Validate(world, *batch.validate.queue)

        def deliver_and_claim(other: Validate = other, batch: Batch = batch) -> None:
            other.deliver()
            batch.claim()

        with world.interrupt_at(call, deliver_and_claim) as calls:
            batch.validate.deliver()
        batch.claim()
        batch.check()
        if len(calls) < call:
            break
    assert call > 20


class Clock:
    """The time that is left; each chunk of a slow file takes a second."""

    left = 300.0

    def __call__(self) -> float:
        return self.left


@pytest.fixture
def slow_files(world, monkeypatch):
    """Files whose key contains "slow" are endless, and each of their chunks takes a second."""
    clock = Clock()

    def chunks(s3, place):
        while "slow" in place.key:
            clock.left -= 1
            yield GOOD
        yield from chunks_of(s3, place)

    chunks_of = objects.read_chunks
    monkeypatch.setattr(objects, "read_chunks", chunks)
    return clock


def test_a_file_that_exceeds_its_share_of_the_time_is_quarantined_and_the_others_are_started(world, slow_files):
    good, slow, after = world.upload(), world.upload(key=f"incoming/{world.name('slow')}.csv"), world.upload()
    batch = world.intake().start_invocation(slow_files)
    outcomes = [batch.process(message(source)) for source in (good, slow, after)]
    assert outcomes == [Outcome.VALID, Outcome.QUARANTINED, Outcome.VALID]
    assert (world.status(slow), world.entry(slow).reason) == (Status.QUARANTINED, "too_slow")
    batch.launch()
    assert [world.status(source) for source in (good, after)] == [Status.VALID] * 2
    assert slow_files.left == pytest.approx(180, abs=2)  # 300 s, less two fifths of them


def test_a_file_that_began_late_is_validated_by_another_invocation(world, slow_files):
    slow_files.left = 100.0
    good, slow = world.upload(), world.upload(key=f"incoming/{world.name('slow')}.csv")
    batch = world.intake().start_invocation(slow_files)
    assert batch.process(message(good)) is Outcome.VALID
    with pytest.raises(InvocationOutOfTime, match="another invocation"):
        batch.process(message(slow))
    assert slow_files.left == pytest.approx(60, abs=2)  # what staging and starting need
    batch.launch()
    assert [world.status(source) for source in (good, slow)] == [Status.VALID, Status.RECEIVED]
    slow_files.left = 300.0
    assert world.intake(ALWAYS_EXPIRED).start_invocation(slow_files).process(message(slow)) is Outcome.QUARANTINED


@pytest.mark.parametrize(
    "forged", [{"size": "x"}, {"size": -1}, {"size": 1.5}, {"size": None}, {"bucket": LAKE}], ids=str
)
def test_an_event_that_s3_cannot_have_sent_changes_nothing(world, forged):
    source = replace(world.upload(), **forged)
    assert deliver(world, message(source)).queue == [message(source)]
    assert world.ledger.entry(source.source_id) is None
    assert source.source_id not in {entry.source.source_id for entry in world.ledger.with_status(Status.RECEIVED)}


@pytest.mark.parametrize("user", ["1) OR (1=1) /*", ".*", "7", 0, 2**63])
def test_a_forged_request_to_forget_starts_nothing_and_writes_nothing(world, user):
    body = json.dumps({"request": "forget", "user_id": user, "requested_at": "2026-11-21T21:03:25.123Z"})
    before = world.executions(), keys_of_runs(world)
    assert deliver(world, body).queue == [body]
    assert (world.executions(), keys_of_runs(world)) == before


def keys_of_runs(world):
    pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=LAKE, Prefix="runs/")
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def test_size_and_earliest_arrival_come_from_s3_and_not_from_the_event(world):
    source = world.upload()
    untrue = replace(source, size=2**63 - 1, received_at="2006-03-14T00:00:00Z")
    assert deliver(world, message(untrue)).outcomes == [Outcome.VALID]
    entry = world.entry(source)
    assert (entry.source.size, entry.source.received_at) == (len(GOOD), "2026-11-21T21:03:25.000Z")


def test_a_manifest_omits_columns_that_the_run_does_not_read(world):
    """Otherwise the headers of a batch could fill the memory of every function that reads its manifest."""
    wide = world.upload(b"a" * 60_000 + b"," + GOOD.replace(b"\n", b",b\n", 1))
    songs = world.upload(
        b"track_id,track_name,artists,duration_ms,track_genre," + b"c" * 60_000, "reference/songs/wide.csv"
    )
    deliver(world, message(wide), message(songs))
    manifest = read_manifest(world.s3, RunFolder(LAKE, world.entry(wide).batch_id))
    headers = {source.kind: source.header for source in manifest.sources}
    assert headers == {"streams": ["", "user_id", "track_id", "listen_time", ""], "songs": []}
