"""Reads of many ledger entries at once."""

from boto3.dynamodb.conditions import Attr

from music_streams.state.statuses import Status
from tests.integration.cli.conftest import put_entry, source


def test_more_entries_than_fit_a_request_are_read_and_unknown_ones_are_missing(stack):
    sources = [source(f"{n}.csv", f"elsewhere/{n}.csv") for n in range(120)]
    for item in sources:
        put_entry(stack, item, status="RETRACTED", updated_at="2026-11-21T21:03:28.000Z")
    wanted = [item.source_id for item in sources]
    entries = stack.ledger.entries([*wanted, wanted[0], "0" * 32])
    assert entries.keys() == set(wanted)
    assert all(entry.source.source_id == source_id for source_id, entry in entries.items())


def test_entries_with_a_status_are_sorted_by_last_change(stack):
    for n in (2, 3, 1):
        put_entry(stack, source(f"moved {n}.csv"), status="VALID", updated_at=f"2026-11-21T21:00:0{n}.000Z")
    moved = [entry.updated_at[-6:-5] for entry in stack.ledger.with_status(Status.VALID)]
    assert moved == ["3", "2", "1"]
    since = stack.ledger.with_status(Status.VALID, since="2026-11-21T21:00:02.000Z")
    assert [entry.source.key for entry in since] == ["incoming/moved 3.csv", "incoming/moved 2.csv"]
    narrowed = stack.ledger.with_status(Status.VALID, condition=Attr("key").contains("1"))
    assert [entry.source.key for entry in narrowed] == ["incoming/moved 1.csv"]
    for n in (1, 2, 3):
        put_entry(stack, source(f"moved {n}.csv"), status="RETRACTED", updated_at="2026-11-21T21:00:00.000Z")


def test_a_search_does_not_return_fences(stack):
    stack.session.resource("dynamodb").Table("files").put_item(Item={"source_id": "FENCE#2024-06-25", "key": "x"})
    assert list(stack.ledger.search(Attr("key").eq("x"))) == []
