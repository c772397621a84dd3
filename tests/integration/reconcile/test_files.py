"""Where a file stands: what S3, the ledger and Step Functions say of it, put together into one state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from music_streams import clock
from music_streams.ingest import s3_events
from music_streams.reconcile.files import FileInspector
from music_streams.reconcile.findings import FileFinding, State, Window
from music_streams.reconcile.stalled import StallReason
from music_streams.state import requests
from music_streams.state.requests import Action, Attempt
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from tests.integration.domain.standing import alive, half_retracted, quarantined_in_place, standing
from tests.integration.domain.world import ALWAYS_EXPIRED, FILES, LANDING, RECEIVED_AT, World
from tests.integration.reconcile.stage import (
    ARRIVED,
    WINDOW,
    delete,
    delete_kept,
    file_inspector,
    found,
    judged,
    listening,
)

LATER_DAY = Window("2026-11-22", "2026-11-22")
MOVING = Window.of_moving()


# ── Where it lies × what the ledger says × whether its execution is alive × whether it is idle ──


def landed(world: World) -> Source:
    return world.land()


def idle(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: standing(world, status, **attributes).source


def just(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: standing(world, status, updated_at=clock.now(), **attributes).source


def with_execution(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: alive(world, status, **attributes).source


def ended(status: Status) -> Callable[[World], Source]:
    def make(world: World) -> Source:
        entry = alive(world, status)
        world.end_execution(f"{entry.batch_id}-1")
        return entry.source

    return make


def without(prefix: str, make: Callable[[World], Source]) -> Callable[[World], Source]:
    """Its object, or its copy under a prefix, was deleted by others."""

    def made(world: World) -> Source:
        source = make(world)
        if prefix:
            delete_kept(world, source, prefix)
        else:
            delete(world, source)
        return source

    return made


def copied_not_archived(world: World) -> Source:
    source = standing(world, Status.PUBLISHED).source
    world.s3.put_object(Bucket=LANDING, Key=source.kept_key("archive"), Body=b"x")
    delete(world, source)
    return source


def move(world: World, source: Source, **attributes: Any) -> None:
    world.dynamodb.put_item(TableName=FILES, Item={**world.item(source), "updated_at": clock.now(), **attributes})


def half_way_to_quarantine(world: World) -> Source:
    source = quarantined_in_place(world).source
    move(world, source)
    return source


def reference(world: World) -> Source:
    entry = standing(world, Status.PUBLISHED, key=f"reference/songs/{world.name('songs')}.csv")
    kept = entry.source.kept_key("archive")
    world.s3.put_object(Bucket=LANDING, Key=kept, Body=b"x")
    return world.put_entry(entry.source, Status.ARCHIVED, archive_key=kept).source


@dataclass(frozen=True)
class Case:
    """`asks` is the attempt that the repair's message brings to its end; 0 where there is no message."""

    name: str
    make: Callable[[World], Source]
    state: State
    trouble: str = ""
    asks: int = 0
    grace: float = 300


S, T = Status, StallReason
RETRACTING = {"treatment": Treatment.RETRACT}
OK, MOVES, STUCK = State.OK, State.IN_FLIGHT, State.STUCK
CASES = [
    Case("landed long ago, unknown", landed, State.MISSING, T.NOT_RECEIVED, 1, grace=ALWAYS_EXPIRED),
    Case("landed just now, unknown", landed, MOVES),
    Case("RECEIVED long ago", idle(S.RECEIVED), STUCK, T.NOT_JUDGED, 1),
    Case("RECEIVED just now", just(S.RECEIVED), MOVES),
    Case("VALID long ago, no execution", idle(S.VALID), STUCK, T.NOT_STARTED, 1),
    Case("VALID just now, no execution", just(S.VALID), MOVES),
    Case("VALID, its execution is alive", with_execution(S.VALID), MOVES),
    Case("VALID, its execution is over", ended(S.VALID), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING long since, its execution is alive", with_execution(S.RUNNING), MOVES),
    Case("RUNNING, its execution is over", ended(S.RUNNING), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING, nobody knows its execution", idle(S.RUNNING), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING just now", just(S.RUNNING), MOVES),
    Case("PUBLISHED, its execution is alive", with_execution(S.PUBLISHED), MOVES),
    Case("PUBLISHED just now", just(S.PUBLISHED), MOVES),
    Case("PUBLISHED, its execution is over", idle(S.PUBLISHED), STUCK, T.NOT_ARCHIVED, 1),
    Case("PUBLISHED, copied, the original deleted", copied_not_archived, STUCK, T.NOT_ARCHIVED, 1),
    Case("PUBLISHED, and deleted", without("", idle(S.PUBLISHED)), State.ORPHAN, "was deleted by others"),
    Case("FAILED", idle(S.FAILED, reason="no_luck"), State.FAILED, "failed: no_luck", 2),
    Case("FAILED just now", just(S.FAILED), State.FAILED, T.FAILED, 2),
    Case("FAILED for the third time", idle(S.FAILED, attempt=3, failures=3), State.FAILED, T.FAILED, 4),
    Case("FAILED, and deleted", without("", idle(S.FAILED)), State.FAILED, "was deleted by others"),
    Case("deleted before it was read", idle(S.FAILED, reason="object_gone"), State.FAILED, "was deleted by others"),
    Case("FAILED to retract, and deleted", without("", idle(S.FAILED, treatment="retract")), State.FAILED, "failed", 2),
    Case("ARCHIVED", idle(S.ARCHIVED), OK),
    Case("ARCHIVED, without its copy", without("archive", idle(S.ARCHIVED)), State.ORPHAN, "copy in archive/ is gone"),
    Case("ARCHIVED reference file, where it landed", reference, OK),
    Case("half retracted", lambda world: half_retracted(world).source, STUCK, T.NOT_RETRACTED, 1),
    Case("half retracted just now", just(S.ARCHIVED, **RETRACTING), MOVES),
    Case("half retracted, its execution is alive", with_execution(S.ARCHIVED, **RETRACTING), MOVES),
    Case(
        "half retracted, alive, its copy deleted", without("archive", with_execution(S.ARCHIVED, **RETRACTING)), MOVES
    ),
    Case("RETRACTED", idle(S.RETRACTED, **RETRACTING), OK),
    Case("RETRACTED, without its copy", without("archive", idle(S.RETRACTED, **RETRACTING)), OK),
    Case("QUARANTINED", idle(S.QUARANTINED), OK),
    Case(
        "QUARANTINED, without its copy", without("quarantine", idle(S.QUARANTINED)), State.ORPHAN, "quarantine/ is gone"
    ),
    Case("QUARANTINED in place", lambda world: quarantined_in_place(world).source, STUCK, T.NOT_REMOVED, 1),
    Case("QUARANTINED in place just now", half_way_to_quarantine, MOVES),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_where_a_file_stands_and_what_repairs_it(world, case):
    source = case.make(world)
    file = found(world, source, grace=case.grace)
    assert (file.state, file.key) == (case.state, source.key)
    assert case.trouble in file.why
    if not case.asks:
        assert file.message == ""
    elif case.state is State.MISSING:
        told = s3_events.source_of(file.message, LANDING)
        assert told
        assert (told.source_id, told.received_at, file.attempt) == (source.source_id, file.received_at, 1)
    else:
        entry = world.entry(source)
        assert requests.parse(file.message) == Attempt(source.source_id, entry.attempt, Action.REDRIVE)
        assert file.attempt == case.asks


def test_every_trouble_is_among_the_cases():
    assert {case.trouble.split(":")[0] for case in CASES} >= set(StallReason)


# ── Late ──


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_what_is_on_its_way_and_should_be_published_by_now_is_late(world, status):
    source = just(status)(world)
    file = found(world, source, late=900)
    assert (file.state, file.message) == (State.LATE, "")
    assert file.why == f"{status}, and not published within 900 s"


def test_metrics_that_stand_are_not_late(world):
    assert found(world, just(Status.PUBLISHED)(world), late=900).state is State.IN_FLIGHT


def test_of_a_further_attempt_the_time_counts_from_where_it_began(world):
    began = clock.seconds_before(clock.now(), 100)
    source = just(Status.RUNNING, attempt=2, validated_at=began)(world)
    assert found(world, source, late=900).state is State.IN_FLIGHT
    assert found(world, source, late=50).state is State.LATE


# ── Nothing stands still while it is looked at ──


def judged_after(world: World, source: Source, change: Callable[[], object], grace: float = 300) -> FileFinding:
    """What is found of a source that changes after the stock was taken."""
    files = file_inspector(world, grace)
    stock = files.stock(WINDOW)
    change()
    [file] = [file for file in files.findings(stock) if file.source_id == source.source_id]
    return file


def test_what_came_to_its_end_after_the_stock_was_taken_is_no_gap(world):
    source = ended(Status.RUNNING)(world)

    def archive() -> None:
        kept = source.kept_key("archive")
        world.s3.put_object(Bucket=LANDING, Key=kept, Body=b"x")
        delete(world, source)
        move(world, source, status="ARCHIVED", archive_key=kept)

    file = judged_after(world, source, archive)
    assert (file.state, file.message) == (State.OK, "")


def test_a_failure_that_was_redriven_after_the_stock_was_taken_is_on_its_way(world):
    source = idle(Status.FAILED)(world)
    again = {"status": "VALID", "attempt": 2, "validated_at": clock.now()}
    file = judged_after(world, source, lambda: move(world, source, **again))
    assert (file.state, file.attempt, file.message) == (State.IN_FLIGHT, 2, "")


def test_what_was_received_after_the_stock_was_taken_is_not_missing(world):
    source = world.upload()
    just_now = {"updated_at": "9999-01-01T00:00:00.000Z"}
    receive = partial(world.put_entry, source, Status.RECEIVED, **just_now)
    assert judged_after(world, source, receive, ALWAYS_EXPIRED).state is State.IN_FLIGHT


def test_a_copy_that_came_after_its_prefix_was_listed_is_not_gone(world, monkeypatch):
    source = idle(Status.ARCHIVED)(world)
    monkeypatch.setattr(FileInspector, "_kept", lambda *_: iter(()))
    assert found(world, source).state is State.OK


# ── Windows and prefixes ──

AT_REST = {"ARCHIVED", "QUARANTINED", "RETRACTED"}


@pytest.mark.parametrize("status", list(Status))
def test_what_is_at_rest_is_looked_at_in_its_window_only_and_what_is_on_its_way_always_is(world, status):
    source = idle(status)(world)
    is_seen = {window: source.source_id in judged(world, window) for window in (WINDOW, LATER_DAY, MOVING)}
    assert is_seen == {WINDOW: True, LATER_DAY: status not in AT_REST, MOVING: status not in AT_REST}


def test_what_landed_is_always_looked_at(world):
    source = landed(world)
    assert all(source.source_id in judged(world, window) for window in (WINDOW, LATER_DAY, MOVING))


def test_what_is_quarantined_and_still_lies_where_it_landed_is_found_whenever_it_arrived(world):
    source = quarantined_in_place(world).source
    assert all(found(world, source, window=window).state is STUCK for window in (WINDOW, LATER_DAY, MOVING))


def test_what_was_half_retracted_in_the_window_is_found_whenever_it_arrived(world):
    entry = half_retracted(world)
    move(world, entry.source, updated_at="2026-11-22T03:00:00.000Z")
    assert found(world, entry.source, window=LATER_DAY, grace=ALWAYS_EXPIRED).why == StallReason.NOT_RETRACTED


def test_a_window_holds_its_first_and_its_last_date():
    window = Window("2024-02-28", "2024-03-01")
    assert window.dates == ["2024-02-28", "2024-02-29", "2024-03-01"]
    stamps = ["2024-02-27T23:59:59.999Z", "2024-02-28T00:00:00.000Z", "2024-03-01T23:59:59.999Z", "2024-03-02T00:00"]
    assert [window.holds(stamp) for stamp in stamps] == [False, True, True, False]
    assert (MOVING.dates, MOVING.holds(RECEIVED_AT), MOVING.holds("9999-12-31")) == ([], False, False)


def test_of_the_kept_files_the_dates_of_the_window_are_listed_and_no_others(world):
    asked: list[tuple[str, str]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        asked.append((model.name, params["query_string"].get("prefix", "")))

    with listening(world.s3, note, "before-call.s3.ListObjectsV2", "before-call.s3.ListObjectVersions"):
        file_inspector(world).stock(Window("2026-11-20", "2026-11-21"))
        in_window = set(asked)
        asked.clear()
        file_inspector(world).stock(MOVING)
    arrivals_listed = {("ListObjectVersions", p) for p in ("incoming/", "reference/songs/", "reference/users/")}
    kept = {f"{prefix}/2026/11/{day}/" for prefix in ("archive", "quarantine") for day in ("20", "21")}
    assert in_window == arrivals_listed | {("ListObjectsV2", prefix) for prefix in kept}
    assert set(asked) == arrivals_listed


def test_a_prefix_narrows_to_the_keys_that_begin_so(world):
    radio = [standing(world, status, key=f"incoming/radio/{status}.csv").source for status in Status]
    radio.append(world.upload(key="incoming/radio/new.csv"))
    standing(world, Status.FAILED, key="incoming/other/radio/x.csv")
    of_radio = judged(world, Window(ARRIVED, ARRIVED, "incoming/radio/"))
    assert of_radio.keys() == {source.source_id for source in radio}


# ── Orphans ──


@pytest.mark.parametrize("prefix", ["archive", "quarantine"])
def test_a_kept_object_that_no_entry_accounts_for_is_an_orphan(world, prefix):
    key = f"{prefix}/2026/11/21/{'f' * 32}/x.csv"
    world.s3.put_object(Bucket=LANDING, Key=key, Body=b"x")
    try:
        file = judged(world)["f" * 32]
        assert (file.state, file.key, file.message) == (State.ORPHAN, key, "")
        assert file.why == f"lies in {prefix}/, no entry of the ledger has that source_id"
        assert "f" * 32 not in judged(world, LATER_DAY)
        assert "f" * 32 not in judged(world, Window(ARRIVED, ARRIVED, "incoming/"))  # its true key nobody knows
    finally:
        world.s3.delete_object(Bucket=LANDING, Key=key)


HOSTILE = {
    "": "",  # a folder marker, as the console makes it
    "x.csv": "x.csv",
    "/x.csv": "",
    "reason.json": "reason.json",
    "FENCE#2024-06-25/x.csv": "FENCE#2024-06-25",
    "[red]/x.csv": "[red]",
    "..//../x": "..",
    "星\n空/x": "星\n空",
    "F" * 32 + "/x.csv": "F" * 32,
    "a" * 33 + "/x.csv": "a" * 33,
}


@pytest.mark.parametrize("prefix", ["archive", "quarantine"])
@pytest.mark.parametrize("rest", HOSTILE)
def test_whatever_lies_among_the_kept_files_is_told_and_harms_nothing(world, prefix, rest):
    world.dynamodb.put_item(TableName=FILES, Item={"source_id": "FENCE#2024-06-25", "version": 1, "lake_uuid": "x"})
    key = f"{prefix}/2026/11/21/{rest}"
    world.s3.put_object(Bucket=LANDING, Key=key, Body=b"x")
    try:
        file = judged(world)[HOSTILE[rest]]
        assert (file.state, file.key, file.message) == (State.ORPHAN, key, "")
        assert file.why == f"lies in {prefix}/, no source_id"
    finally:
        world.s3.delete_object(Bucket=LANDING, Key=key)


def test_a_reason_alone_is_neither_an_orphan_nor_a_copy(world):
    world.s3.put_object(Bucket=LANDING, Key=f"quarantine/2026/11/21/{'e' * 32}/reason.json", Body=b"x")
    assert "e" * 32 not in judged(world)
    source = without("quarantine", idle(Status.QUARANTINED))(world)
    reason = source.kept_key("quarantine").rsplit("/", 1)[0] + "/reason.json"
    world.s3.put_object(Bucket=LANDING, Key=reason, Body=b"x")
    assert found(world, source).state is State.ORPHAN


def test_a_file_by_the_name_of_a_reason_is_a_copy(world):
    assert found(world, idle(Status.QUARANTINED, key=f"incoming/{world.name('d')}/reason.json")(world)).state is OK


# ── Gone ──


@pytest.mark.parametrize("status", [Status.FAILED, Status.PUBLISHED])
def test_a_file_that_was_deleted_is_told_in_its_time_and_not_for_ever(world, status):
    source = without("", idle(status))(world)
    assert found(world, source).why == "its object was deleted by others; put it again"
    for later in (LATER_DAY, MOVING):
        assert (found(world, source, window=later).state, found(world, source, window=later).message) == (OK, "")


# ── Many ──


def test_every_page_is_read(emptied, monkeypatch):
    world = emptied
    sources: dict[str, list[Source]] = {
        status: [standing(world, status).source for _ in range(5)]
        for status in (Status.ARCHIVED, Status.FAILED, Status.QUARANTINED)
    }
    sources["landed"] = [world.land() for _ in range(5)]
    pages: list[str] = []

    def small(params: dict[str, Any], model: Any, **_: Any) -> None:
        pages.append(model.name)
        if model.name == "Query":
            params["Limit"] = 2
        elif model.name in {"ListObjectsV2", "ListObjectVersions"}:
            params["MaxKeys"] = 2

    event = "provide-client-params"
    with listening(world.s3, small, event), listening(world.ledger._dynamodb, small, event):
        files = judged(world)
    assert files.keys() == {source.source_id for some in sources.values() for source in some}
    assert {status: {files[each.source_id].state for each in some} for status, some in sources.items()} == {
        Status.ARCHIVED: {OK},
        Status.FAILED: {State.FAILED},
        Status.QUARANTINED: {OK},
        "landed": {MOVES},
    }
    assert min(pages.count(name) for name in ("ListObjectsV2", "ListObjectVersions", "Query")) >= 5


def test_the_newest_file_of_a_day_is_in_its_window(world):
    today = datetime.now(UTC).date()
    window = Window((today - timedelta(days=1)).isoformat(), today.isoformat())
    source = world.upload()
    at = clock.now()
    world.put_entry(replace(source, received_at=at), Status.RETRACTED, updated_at=at, treatment="retract")
    assert found(world, source, window=window).state is OK
