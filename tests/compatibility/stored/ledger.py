"""Entries of the ledger, at every status and with every treatment."""

from dataclasses import replace
from typing import Any

from music_streams.state.ledger import Entry
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.compatibility.stored.kinds import Stored, at_tick
from tests.compatibility.stored.moves import TO_ARCHIVED, TO_FAILED, TO_REJECTED, advance, ledger_of
from tests.compatibility.stored.run import ARN, BATCH, DAY, EXECUTIONS, NEXT_DAY
from tests.compatibility.stored.sources import PLAYS
from tests.compatibility.world import FILES, Document, World

ADDED = (
    *("treatment", "first_published_at", "failures", "failing_since", "cost_micro_usd", "total_cost_micro_usd"),
    *("songs_digest", "left_out"),
)
"""Attributes that items of older versions lack."""


def _item(name: str, means: Entry, *moves: str | Treatment) -> Stored:
    def write(world: World) -> Document:
        return world.item(FILES, source_id=advance(world, PLAYS, *moves).source.source_id)

    def read(world: World, document: Document) -> object:
        world.put_item(document)
        entry = ledger_of(world).entry(PLAYS.source_id)
        assert list(ledger_of(world).with_status(means.status)) == [entry], "the index finds it by its status"
        return entry

    bare = Entry(PLAYS, means.status, means.updated_at, means.attempt)
    without = {name: replace(means, **{name: getattr(bare, name)}) for name in ADDED}
    older: dict[str, object] = {f"item.{name}": entry for name, entry in without.items() if entry != means}
    return Stored(f"ledger/{name}", write, read, means, older)


def _moved(entry: Entry, status: Status, tick: int, **changes: Any) -> Entry:
    return replace(entry, status=status, updated_at=at_tick(tick), **changes)


def _new_attempt(entry: Entry, tick: int, treatment: Treatment) -> Entry:
    """Return the entry after its renewal for a new attempt."""
    cleared = dict.fromkeys(("execution_arn", "reason", "started_at", "published_at", "archived_at"), "")
    return _moved(entry, Status.VALID, tick, validated_at=at_tick(tick), attempt=2, treatment=treatment, **cleared)


def _renewed(name: str, entry: Entry, tick: int, treatment: Treatment, *moves: str) -> Stored:
    return _item(name, _new_attempt(entry, tick, treatment), *moves, treatment)


_COSTS = {"cost_micro_usd": 1_234, "total_cost_micro_usd": 1_234}
_REJECTED_ROWS = {"duplicate": 1, "unknown_track": 1}
_COUNTS = {"days": [DAY, NEXT_DAY], "rows_read": 10, "rows_accepted": 8, "rejected": _REJECTED_ROWS}
_REFUSED = {"reason": "too_large", "archive_key": f"quarantine/2024/06/26/{PLAYS.source_id}/plays.csv"}
_RECEIVED = Entry(PLAYS, Status.RECEIVED, at_tick(1), 1)
_VALID = _moved(_RECEIVED, Status.VALID, 2, batch_id=BATCH, validated_at=at_tick(2))
_RUNNING = _moved(_VALID, Status.RUNNING, 3, execution_arn=ARN, started_at=at_tick(3))
_AT = {"published_at": at_tick(4), "first_published_at": at_tick(4)}
_PUBLISHED = _moved(_RUNNING, Status.PUBLISHED, 4, **_AT, **_COUNTS, **_COSTS)
_KEPT = f"archive/2024/06/26/{PLAYS.source_id}/plays.csv"
_ARCHIVED = _moved(_PUBLISHED, Status.ARCHIVED, 5, archived_at=at_tick(5), archive_key=_KEPT)
_NO_MEMORY = "FAILED: States.TaskFailed: no memory"
_FAILED = _moved(_RUNNING, Status.FAILED, 4, reason=_NO_MEMORY, failures=1, failing_since=at_tick(4))
_BAD = {**_REFUSED, "reason": "too_many_bad_rows", "rows_read": 4, "rejected": {"bad_user_id": 3}}
_REJECTED = _moved(_RUNNING, Status.QUARANTINED, 4, **_BAD, **_COSTS)
_RETRACTED = replace(
    _moved(_new_attempt(_ARCHIVED, 6, Treatment.RETRACT), Status.RETRACTED, 10),
    execution_arn=f"{EXECUTIONS}:{BATCH}-2",
    started_at=at_tick(7),
    published_at=at_tick(8),
    archived_at=at_tick(9),
    total_cost_micro_usd=2_468,
)
LEDGER = [
    _item("received", _RECEIVED),
    _item("valid", _VALID, "validate"),
    _item("running", _RUNNING, "validate", "run"),
    _item("published", _PUBLISHED, "validate", "run", "publish"),
    _item("archived", _ARCHIVED, *TO_ARCHIVED),
    _item("failed", _FAILED, *TO_FAILED),
    _item("quarantined-by-validate", _moved(_RECEIVED, Status.QUARANTINED, 2, **_REFUSED), "refuse"),
    _item("quarantined-after-run", _REJECTED, *TO_REJECTED),
    _renewed("redriven", _FAILED, 5, Treatment.NORMAL, *TO_FAILED),
    _renewed("accept-bad-rows", _REJECTED, 5, Treatment.ACCEPT_BAD_ROWS, *TO_REJECTED),
    _renewed("accept-many-days", _REJECTED, 5, Treatment.ACCEPT_MANY_DAYS, *TO_REJECTED),
    _renewed("retract", _ARCHIVED, 6, Treatment.RETRACT, *TO_ARCHIVED),
    _renewed("put-aside", _FAILED, 5, Treatment.PUT_ASIDE, *TO_FAILED),
    _item("retracted", _RETRACTED, *TO_ARCHIVED, Treatment.RETRACT, "run", "publish", "archive", "retract"),
]
