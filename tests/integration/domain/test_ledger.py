"""The ledger makes only the permitted transitions (docs/design.md, section 5)."""

from collections.abc import Callable
from typing import Any

import pytest

from music_streams.state.ledger import OBJECT_GONE, Entry, Ledger
from music_streams.state.run_files import SourceOutcome
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.entries import entry_item
from tests.integration.domain.world import FILES, RECEIVED_AT, World

OUTCOME = SourceOutcome(10, 7, {"bad_user_id": 1, "duplicate": 2}, ["2024-06-25", "2024-06-26"])
BATCH = "batch"
TO_BE_RETRACTED = Treatment.RETRACT  # so that no transition is rejected only for lack of it
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:process:batch-1"

Transition = Callable[[Ledger, Entry], object]
TRANSITIONS: dict[str, Transition] = {
    "claim": lambda ledger, entry: ledger.claim(entry.source, 300),
    "mark_valid": lambda ledger, entry: ledger.mark_valid(entry, BATCH),
    "fail_claimed": lambda ledger, entry: ledger.fail_claimed(entry, OBJECT_GONE),
    "mark_quarantined": lambda ledger, entry: ledger.mark_quarantined(entry, "not_csv", "quarantine/x"),
    "mark_running": lambda ledger, entry: ledger.mark_running(entry, EXECUTION),
    "mark_published": lambda ledger, entry: ledger.mark_published(entry, OUTCOME),
    "mark_failed": lambda ledger, entry: ledger.mark_failed(entry, EXECUTION, "States.Timeout"),
    "mark_archived": lambda ledger, entry: ledger.mark_archived(entry, "archive/x"),
    "renew": lambda ledger, entry: ledger.renew(entry, BATCH, entry.attempt + 1, Treatment.NORMAL),
    "mark_retracted": lambda ledger, entry: ledger.mark_retracted(entry),
}
EDGES: dict[tuple[Status | None, str], Status] = {
    (None, "claim"): Status.RECEIVED,
    (Status.RECEIVED, "claim"): Status.RECEIVED,
    (Status.RECEIVED, "mark_valid"): Status.VALID,
    (Status.RECEIVED, "mark_quarantined"): Status.QUARANTINED,
    (Status.RECEIVED, "fail_claimed"): Status.FAILED,
    (Status.VALID, "mark_running"): Status.RUNNING,
    (Status.RUNNING, "mark_published"): Status.PUBLISHED,
    (Status.RUNNING, "mark_quarantined"): Status.QUARANTINED,
    (Status.RUNNING, "mark_failed"): Status.FAILED,
    (Status.PUBLISHED, "mark_archived"): Status.ARCHIVED,
    (Status.FAILED, "renew"): Status.VALID,
    (Status.ARCHIVED, "renew"): Status.VALID,
    (Status.QUARANTINED, "renew"): Status.VALID,
    (Status.ARCHIVED, "mark_retracted"): Status.RETRACTED,
}
REJECTED = [(status, move) for status in Status for move in TRANSITIONS if (status, move) not in EDGES]


def entry_with(world: World, status: Status, **attributes: Any) -> Entry:
    """An entry with a status and the attributes that its run wrote."""
    held = {"batch_id": BATCH, "execution_arn": EXECUTION, "treatment": TO_BE_RETRACTED}
    return world.put_entry(world.upload(), status, **(held | attributes))


@pytest.mark.parametrize(("edge", "to"), EDGES.items(), ids=[f"{status}-{move}" for status, move in EDGES])
def test_a_permitted_transition_is_made(world, edge, to):
    status, move = edge
    entry = entry_with(world, status) if status else Entry(world.upload(), Status.RECEIVED, RECEIVED_AT, 1)
    assert TRANSITIONS[move](world.ledger, entry)
    assert world.status(entry.source) is to
    assert world.entry(entry.source).updated_at > RECEIVED_AT


@pytest.mark.parametrize(("status", "move"), REJECTED)
def test_every_other_transition_is_rejected_and_changes_nothing(world, status, move):
    entry = entry_with(world, status)
    before = world.item(entry.source)
    assert not TRANSITIONS[move](world.ledger, entry)
    assert world.item(entry.source) == before


@pytest.mark.parametrize("move", [name for name in TRANSITIONS if name != "claim"])
def test_a_source_that_was_never_received_has_no_transition(world, move):
    source = world.upload()
    for status in Status:
        ghost = Entry(source, status, RECEIVED_AT, 1, BATCH, EXECUTION)
        assert not TRANSITIONS[move](world.ledger, ghost)
    assert world.ledger.entry(source.source_id) is None


def test_a_new_source_is_received_once(world):
    source = world.upload()
    claimed = world.ledger.claim(source, 300)
    assert claimed == world.entry(source)
    assert world.ledger.claim(source, 300) is None


@pytest.mark.parametrize("move", ["mark_valid", "fail_claimed", "mark_quarantined"])
def test_the_holder_of_a_replaced_claim_changes_nothing(world, move):
    source = world.upload()
    earlier = world.put_entry(source, Status.RECEIVED)
    later = world.ledger.claim(source, 300)
    assert not TRANSITIONS[move](world.ledger, earlier)
    assert world.entry(source) == later
    assert TRANSITIONS[move](world.ledger, later)


@pytest.mark.parametrize("name", ["another-1", "batch-2", "batch-11"])
def test_an_execution_claims_only_sources_that_are_valid_for_its_batch_and_attempt(world, name):
    entry = entry_with(world, Status.VALID)
    assert not world.ledger.mark_running(entry, EXECUTION.replace("batch-1", name))
    assert world.entry(entry.source) == entry


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", TRANSITIONS)
def test_a_writer_with_a_stale_entry_makes_no_other_transition(world, move, status):
    for stale_status in set(Status) - {status}:
        source = entry_with(world, status).source
        stale = Entry(source, stale_status, RECEIVED_AT, 1, BATCH, EXECUTION, treatment=TO_BE_RETRACTED)
        TRANSITIONS[move](world.ledger, stale)
        assert world.status(source) in {status, EDGES.get((status, move))}, stale_status


def test_only_a_source_to_retract_becomes_retracted(world):
    for treatment in (Treatment.NORMAL, Treatment.ACCEPT_BAD_ROWS):
        entry = entry_with(world, Status.ARCHIVED, treatment=treatment)
        assert not world.ledger.mark_retracted(entry)
        assert world.entry(entry.source) == entry


@pytest.mark.parametrize(
    "changes", [{"attempt": 2}, {"updated_at": "2026-11-22T00:00:00.000Z"}, {"status": "QUARANTINED"}]
)
def test_a_new_attempt_is_rejected_if_the_source_changed_since_it_was_read(world, changes):
    entry = entry_with(world, Status.FAILED)
    world.dynamodb.put_item(TableName=FILES, Item=world.item(entry.source) | changes)
    before = world.item(entry.source)
    assert not world.ledger.renew(entry, BATCH, 2, Treatment.NORMAL)
    assert world.item(entry.source) == before


def test_a_new_attempt_keeps_the_counts_of_the_last_one_and_clears_its_result(world):
    entry = entry_with(world, Status.ARCHIVED, days=["2024-06-25"], rows_read=10, archive_key="archive/x", reason="x")
    assert world.ledger.renew(entry, "other", 7, Treatment.RETRACT)
    renewed = world.entry(entry.source)
    assert (renewed.batch_id, renewed.attempt, renewed.treatment) == ("other", 7, Treatment.RETRACT)
    assert (renewed.days, renewed.rows_read, renewed.archive_key) == (["2024-06-25"], 10, "archive/x")
    assert (renewed.execution_arn, renewed.reason, renewed.archived_at) == ("", "", "")


@pytest.mark.parametrize("move", ["mark_published", "mark_failed", "mark_quarantined"])
def test_an_execution_changes_only_sources_that_it_holds(world, move):
    source = world.upload()
    entry = world.put_entry(source, Status.RUNNING, batch_id=BATCH, execution_arn="another")
    foreign = Entry(source, Status.RUNNING, entry.updated_at, 1, BATCH, EXECUTION)
    assert not TRANSITIONS[move](world.ledger, foreign)
    assert world.entry(source) == entry


def test_an_archived_source_has_exactly_the_attributes_of_the_contract(world):
    source = world.upload()
    ledger = world.ledger
    claimed = ledger.claim(source, 300)
    assert claimed is not None
    ledger.mark_valid(claimed, BATCH)
    ledger.mark_running(world.entry(source), EXECUTION)
    ledger.mark_published(world.entry(source), OUTCOME, songs_digest="d")
    ledger.mark_archived(world.entry(source), "archive/x")
    item = world.item(source)
    names = ("validated_at", "started_at", "published_at", "first_published_at", "archived_at", "updated_at")
    timestamps = {item.pop(name) for name in names}
    assert all(timestamp > RECEIVED_AT for timestamp in timestamps)
    assert item == {
        **entry_item(source, status="ARCHIVED"),
        "batch_id": BATCH,
        "execution_arn": EXECUTION,
        "archive_key": "archive/x",
        "days": ["2024-06-25", "2024-06-26"],
        "rows_read": 10,
        "rows_accepted": 7,
        "rejected": {"bad_user_id": 1, "duplicate": 2},
        "failures": 0,
        "failing_since": "",
        "songs_digest": "d",
        "left_out": "",
    }


def test_a_file_quarantined_after_a_run_keeps_its_counts(world):
    entry = entry_with(world, Status.RUNNING)
    bad = SourceOutcome(10, 0, {"bad_user_id": 5}, [], "too_many_bad_rows")
    assert world.ledger.mark_quarantined(entry, "too_many_bad_rows", "quarantine/x", bad)
    item = world.item(entry.source)
    assert (item["status"], item["reason"], item["archive_key"]) == ("QUARANTINED", "too_many_bad_rows", "quarantine/x")
    counts = [item[name] for name in ("rows_read", "rows_accepted", "rejected", "days")]
    assert counts == [10, 0, {"bad_user_id": 5}, []]


def test_an_entry_with_a_damaged_size_does_not_prevent_listing_the_others(world):
    bad, good = world.upload(), world.upload()
    for source, size in ((bad, "x"), (good, good.size)):
        world.put_entry(source, Status.RECEIVED, size=size)
    listed = {entry.source.source_id: entry.source.size for entry in world.ledger.with_status(Status.RECEIVED)}
    assert (listed[bad.source_id], listed[good.source_id]) == (0, good.size)


def test_many_entries_are_read_together_although_ids_are_repeated_or_unknown(world):
    known = [entry_with(world, Status.ARCHIVED).source.source_id for _ in range(110)]
    ids = [*known, "0" * 32, *known[::-1]]  # some are twice in one request
    assert world.ledger.entries(ids).keys() == set(known)
