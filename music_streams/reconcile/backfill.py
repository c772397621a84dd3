"""A backfill: the replay of all files with listens of a day, with the current code and reference data."""

from boto3.dynamodb.conditions import Attr

from music_streams.reconcile import stalled
from music_streams.reconcile.plan import Repair, RepairKind
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.requests import Action
from music_streams.state.statuses import Status


def replays(ledger: Ledger, day: str) -> list[Repair]:
    """Return a replay of each archived streams file with listens of a day, the oldest first.

    A file without any listens is replayed with the day on which it arrived: with new reference data it may have some.
    """
    has_none = Attr("days").size().eq(0) & Attr("received_at").begins_with(day)
    entries = ledger.with_status(Status.ARCHIVED, condition=Attr("days").contains(day) | has_none)
    files = [entry for entry in entries if not entry.is_retracted and not entry.source.kind.is_reference]
    return [_replay(entry, day) for entry in sorted(files, key=lambda entry: entry.source.received_at)]


def failed(ledger: Ledger, requested: list[Repair]) -> list[Entry]:
    """Return the files that the requested attempts did not archive."""
    entries = ledger.entries(replay.source_id for replay in requested)
    return [
        entry
        for replay in requested
        if (entry := entries[replay.source_id]).status is not Status.ARCHIVED or entry.attempt < replay.attempt
    ]


def _replay(entry: Entry, day: str) -> Repair:
    message = stalled.request_message(entry, Action.REPLAY)
    why = f"backfill of {day}"
    return Repair(RepairKind.REPLAY, entry.source.name, why, message, entry.source.source_id, entry.attempt + 1)
