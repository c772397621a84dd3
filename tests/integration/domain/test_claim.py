"""The first step of an execution claims the sources of its manifest that no other batch holds."""

import itertools
from dataclasses import replace

import pytest

from music_streams.run.claim import Claim, claimed_entries
from music_streams.state.run_files import Manifest, write_manifest
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.world import before_and_after

HAS_WORK, HAS_NONE = (Claim(0, has_work=has_work, forgets=False, workers=2) for has_work in (True, False))


def held(run):
    entries = claimed_entries(run.world.s3, run.world.ledger, run.folder.manifest_uri, run.arn)
    return {entry.source.source_id for entry in entries}


def test_valid_sources_become_running_for_the_execution_and_a_repeat_holds_the_same(world):
    sources = world.upload(), world.upload()
    run = Run.of(world, *sources)
    for _ in range(2):
        assert run.claim() == HAS_WORK
        for source in sources:
            assert world.status(source) is Status.RUNNING
            assert world.entry(source).execution_arn == run.arn
        assert held(run) == {source.source_id for source in sources}


def test_a_source_that_another_batch_holds_is_skipped(world):
    ours, theirs = world.upload(), world.upload()
    run = Run.of(world, ours, theirs)
    world.batch(theirs)
    assert run.claim() == HAS_WORK
    assert run.claimed_ids == [ours.source_id]
    assert world.status(theirs) is Status.VALID
    assert held(run) == {ours.source_id}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.VALID])
def test_a_source_with_any_other_status_is_skipped(world, status):
    run = Run(world, world.batch(world.upload(), status=status))
    assert run.claim() == HAS_NONE
    assert held(run) == set()


def test_a_source_that_is_not_in_the_ledger_is_skipped(world):
    source = world.upload()
    run = Run.of(world, source)
    world.dynamodb.delete_item(TableName="files", Key={"source_id": source.source_id})
    assert run.claim() == HAS_NONE


def test_two_batches_never_hold_the_same_source(world):
    shared, first_only = world.upload(), world.upload()
    first, second = Run.of(world, shared, first_only), Run.of(world, shared)
    assert (first.claim(), second.claim()) == (HAS_WORK, HAS_WORK)
    assert not held(first) & held(second)


def test_a_repeated_claim_of_an_earlier_attempt_takes_nothing_from_a_later_one(world):
    earlier = Run(world, world.batch(world.upload(), attempt=2))
    later = replace(earlier, attempt=2)
    assert [run.claim() for run in (earlier, later, earlier)] == [HAS_NONE, HAS_WORK, HAS_NONE]
    assert len(held(later)) == 1


def test_rewriting_the_manifest_after_the_claim_does_not_change_the_claimed_sources(world):
    source = world.upload()
    run = Run.of(world, source).claimed()
    write_manifest(world.s3, run.folder, Manifest(run.folder.batch_id, []))
    assert run.claim() == HAS_NONE
    assert held(run) == {source.source_id}


def test_a_source_whose_treatment_differs_from_the_manifest_is_skipped(world):
    source = world.upload()
    assert Run(world, world.batch(source, treatment="retract")).claim() == HAS_NONE
    assert world.status(source) is Status.VALID


@before_and_after
def test_a_claim_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        ours, theirs = world.upload(), world.upload()
        run = Run.of(world, ours, theirs)
        world.batch(theirs)
        if not world.crashes(run.claim, call, is_done=is_done):
            break
        assert run.claim() == HAS_WORK
        assert held(run) == {ours.source_id}
    assert call > len(["manifest", "entry", "entry", "run", "run", "manifest"])
