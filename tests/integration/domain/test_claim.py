"""The first step of an execution takes the manifest's sources; what another batch holds drops out."""

import itertools

import pytest

from music_streams.run.claim import Claim, claim_sources, held_entries
from music_streams.state.run_files import Manifest, read_claimed, write_manifest
from music_streams.state.statuses import Status
from tests.integration.domain.world import Crash, always


def claim(world, folder, attempt=1):
    arn = world.execution_arn(f"{folder.batch_id}-{attempt}")
    return claim_sources(world.s3, world.ledger, folder.manifest_uri, arn, always)


HAS_WORK, HAS_NONE = (Claim(0, has_work=has_work, forgets=False, workers=2) for has_work in (True, False))


def held(world, folder, attempt=1):
    arn = world.execution_arn(f"{folder.batch_id}-{attempt}")
    return {each.source.source_id for each in held_entries(world.s3, world.ledger, folder.manifest_uri, arn)}


def test_valid_sources_run_for_the_execution(world):
    sources = world.upload(), world.upload()
    folder = world.batch(*sources)
    assert claim(world, folder) == HAS_WORK
    for source in sources:
        assert world.status(source) is Status.RUNNING
        assert world.entry(source).execution_arn.endswith(f":{folder.batch_id}-1")
    assert held(world, folder) == {source.source_id for source in sources}


def test_a_repeat_holds_the_same(world):
    folder = world.batch(world.upload(), world.upload())
    claim(world, folder)
    once = held(world, folder)
    assert claim(world, folder) == HAS_WORK
    assert held(world, folder) == once
    assert len(once) == 2


def test_what_another_batch_holds_drops_out(world):
    ours, theirs = world.upload(), world.upload()
    folder = world.batch(ours, theirs)
    world.batch(theirs)
    assert claim(world, folder) == HAS_WORK
    assert read_claimed(world.s3, folder, f"{folder.batch_id}-1").source_ids == [ours.source_id]
    assert world.status(theirs) is Status.VALID
    assert held(world, folder) == {ours.source_id}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.VALID])
def test_a_source_at_any_other_status_drops_out(world, status):
    folder = world.batch(world.upload(), status=status)
    assert claim(world, folder) == HAS_NONE
    assert held(world, folder) == set()


def test_a_source_that_the_ledger_does_not_know_drops_out(world):
    source = world.upload()
    folder = world.batch(source)
    world.dynamodb.delete_item(TableName="files", Key={"source_id": source.source_id})
    assert claim(world, folder) == HAS_NONE


def test_two_batches_never_hold_the_same_source(world):
    shared, first_only = world.upload(), world.upload()
    first = world.batch(shared, first_only)
    second = world.batch(shared)
    assert (claim(world, first), claim(world, second)) == (HAS_WORK, HAS_WORK)
    assert not held(world, first) & held(world, second)


def test_an_earlier_attempt_that_comes_back_takes_nothing_from_a_later_one(world):
    folder = world.batch(world.upload(), attempt=2)
    assert claim(world, folder, attempt=1) == HAS_NONE
    assert claim(world, folder, attempt=2) == HAS_WORK
    assert claim(world, folder, attempt=1) == HAS_NONE
    assert len(held(world, folder, attempt=2)) == 1


def test_a_manifest_that_is_written_again_too_late_changes_nothing_for_who_has_claimed(world):
    source = world.upload()
    folder = world.batch(source)
    claim(world, folder)
    write_manifest(world.s3, folder, Manifest(folder.batch_id, []))
    assert claim(world, folder) == HAS_NONE
    assert held(world, folder) == {source.source_id}


def test_a_source_that_the_ledger_has_as_to_be_retracted_is_not_taken_as_any_other(world):
    source = world.upload()
    folder = world.batch(source, treatment="retract")
    assert claim(world, folder) == HAS_NONE
    assert world.status(source) is Status.VALID


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_a_claim_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        ours, theirs = world.upload(), world.upload()
        folder = world.batch(ours, theirs)
        world.batch(theirs)
        try:
            with world.crash_at(call, is_done=is_done):
                claim(world, folder)
            break
        except Crash:
            assert claim(world, folder) == HAS_WORK
        assert held(world, folder) == {ours.source_id}
    assert call > len(["manifest", "entry", "entry", "run", "run", "manifest"])
