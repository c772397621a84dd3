"""A backfill: everything that brought listens of a day runs again, with new code and new reference data."""

from boto3.dynamodb.conditions import Attr

from music_streams.reconcile import stalled
from music_streams.reconcile.plan import Repair, RepairKind
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.requests import Action
from music_streams.state.statuses import Status


def replays(ledger: Ledger, day: str) -> list[Repair]:
    """A replay of each archived streams file with listens of a day, and of those that had none and arrived on it.

    A file of which every row was rejected names no day: with new reference data it may bring some.
    """
    has_none = Attr("days").size().eq(0) & Attr("received_at").begins_with(day)
    entries = ledger.with_status(Status.ARCHIVED, condition=Attr("days").contains(day) | has_none)
    found = [entry for entry in entries if not entry.is_retracted and not entry.source.kind.is_reference]
    return [_replay(entry, day) for entry in sorted(found, key=lambda entry: entry.source.received_at)]


def failed(ledger: Ledger, asked: list[Repair]) -> list[Entry]:
    """The files that were to run again and are not archived by that attempt."""
    entries = ledger.entries(each.source_id for each in asked)
    return [
        entry
        for each in asked
        if (entry := entries[each.source_id]).status is not Status.ARCHIVED or entry.attempt < each.attempt
    ]


def _replay(entry: Entry, day: str) -> Repair:
    message = stalled.ask(entry, Action.REPLAY)
    why = f"backfill of {day}"
    return Repair(RepairKind.REPLAY, entry.source.name, why, message, entry.source.source_id, entry.attempt + 1)
