"""The state of a file, combined from S3, the ledger and Step Functions."""

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
from music_streams.state.requests import Action, SourceRequest
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from tests.integration.domain.stored_sources import alive, half_retracted, quarantined_in_place, stored_entry
from tests.integration.domain.world import ALWAYS_EXPIRED, FILES, LANDING, RECEIVED_AT, World
from tests.integration.reconcile.stage import (
    ARRIVED,
    WINDOW,
    delete,
    delete_kept,
    file_findings,
    file_inspector,
    finding_of,
    listening,
)

LATER_DAY = Window("2026-11-22", "2026-11-22")
UNDATED = Window.of_unfinished()


# ── Location × status × whether its execution is running × whether it is idle ──


def idle(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: stored_entry(world, status, **attributes).source


def just(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: stored_entry(world, status, updated_at=clock.now(), **attributes).source


def with_execution(status: Status, **attributes: Any) -> Callable[[World], Source]:
    return lambda world: alive(world, status, **attributes).source


def ended(status: Status) -> Callable[[World], Source]:
    def make(world: World) -> Source:
        entry = alive(world, status)
        world.end_execution(f"{entry.batch_id}-1")
        return entry.source

    return make


def without(prefix: str, make: Callable[[World], Source]) -> Callable[[World], Source]:
    """Delete its object, or its copy under a prefix, as others would."""

    def made(world: World) -> Source:
        source = make(world)
        if prefix:
            delete_kept(world, source, prefix)
        else:
            delete(world, source)
        return source

    return made


def copied_not_archived(world: World) -> Source:
    source = stored_entry(world, Status.PUBLISHED).source
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
    entry = stored_entry(world, Status.PUBLISHED, key=f"reference/songs/{world.name('songs')}.csv")
    kept = entry.source.kept_key("archive")
    world.s3.put_object(Bucket=LANDING, Key=kept, Body=b"x")
    return world.put_entry(entry.source, Status.ARCHIVED, archive_key=kept).source


@dataclass(frozen=True)
class Case:
    """A file in a situation; `attempt` is the attempt that the repair's message finishes, 0 if there is no message."""

    name: str
    make: Callable[[World], Source]
    state: State
    why: str = ""
    attempt: int = 0
    grace: float = 300


S, T = Status, StallReason
RETRACTING = {"treatment": Treatment.RETRACT}
OK, MOVES, STUCK = State.OK, State.IN_FLIGHT, State.STUCK
CASES = [
    Case("landed long ago, unknown", World.land, State.MISSING, T.NOT_RECEIVED, 1, grace=ALWAYS_EXPIRED),
    Case("landed just now, unknown", World.land, MOVES),
    Case("RECEIVED long ago", idle(S.RECEIVED), STUCK, T.NOT_VALIDATED, 1),
    Case("RECEIVED just now", just(S.RECEIVED), MOVES),
    Case("VALID long ago, no execution", idle(S.VALID), STUCK, T.NOT_STARTED, 1),
    Case("VALID just now, no execution", just(S.VALID), MOVES),
    Case("VALID, its execution is running", with_execution(S.VALID), MOVES),
    Case("VALID, its execution ended", ended(S.VALID), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING long ago, its execution is running", with_execution(S.RUNNING), MOVES),
    Case("RUNNING, its execution ended", ended(S.RUNNING), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING, its execution is unknown", idle(S.RUNNING), STUCK, T.NOT_RECORDED, 2),
    Case("RUNNING just now", just(S.RUNNING), MOVES),
    Case("PUBLISHED, its execution is running", with_execution(S.PUBLISHED), MOVES),
    Case("PUBLISHED just now", just(S.PUBLISHED), MOVES),
    Case("PUBLISHED, its execution ended", idle(S.PUBLISHED), STUCK, T.NOT_ARCHIVED, 1),
    Case("PUBLISHED, copied, the original deleted", copied_not_archived, STUCK, T.NOT_ARCHIVED, 1),
    Case("PUBLISHED, and deleted", without("", idle(S.PUBLISHED)), State.ORPHAN, "but not by the pipeline"),
    Case("FAILED", idle(S.FAILED, reason="no_luck"), State.FAILED, "no_luck", 2),
    Case("FAILED just now", just(S.FAILED), State.FAILED, T.FAILED, 2),
    Case("FAILED for the third time", idle(S.FAILED, attempt=3, failures=3), State.FAILED, T.FAILED, 4),
    Case("FAILED, and deleted", without("", idle(S.FAILED)), State.FAILED, "but not by the pipeline"),
    Case("deleted before it was read", idle(S.FAILED, reason="object_gone"), State.FAILED, "but not by the pipeline"),
    Case("FAILED to retract, and deleted", without("", idle(S.FAILED, treatment="retract")), State.FAILED, "failed", 2),
    Case("ARCHIVED", idle(S.ARCHIVED), OK),
    Case("ARCHIVED, copy deleted", without("archive", idle(S.ARCHIVED)), State.ORPHAN, "copy in archive/ was deleted"),
    Case("ARCHIVED reference file, where it landed", reference, OK),
    Case("half retracted", lambda world: half_retracted(world).source, STUCK, T.NOT_RETRACTED, 1),
    Case("half retracted just now", just(S.ARCHIVED, **RETRACTING), MOVES),
    Case("half retracted, its execution is running", with_execution(S.ARCHIVED, **RETRACTING), MOVES),
    Case("half retracted, running, copy deleted", without("archive", with_execution(S.ARCHIVED, **RETRACTING)), MOVES),
    Case("RETRACTED", idle(S.RETRACTED, **RETRACTING), OK),
    Case("RETRACTED, copy deleted", without("archive", idle(S.RETRACTED, **RETRACTING)), OK),
    Case("QUARANTINED", idle(S.QUARANTINED), OK),
    Case(
        "QUARANTINED, copy deleted", without("quarantine", idle(S.QUARANTINED)), State.ORPHAN, "quarantine/ was deleted"
    ),
    Case("QUARANTINED in place", lambda world: quarantined_in_place(world).source, STUCK, T.NOT_REMOVED, 1),
    Case("QUARANTINED in place just now", half_way_to_quarantine, MOVES),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_case_has_its_state_and_its_repair(world, case):
    source = case.make(world)
    file = finding_of(world, source, grace=case.grace)
    assert (file.state, file.key) == (case.state, source.key)
    assert case.why in file.why
    if not case.attempt:
        assert file.message == ""
    elif case.state is State.MISSING:
        sent = s3_events.source_of(file.message, LANDING)
        assert sent
        assert (sent.source_id, sent.received_at, file.attempt) == (source.source_id, file.received_at, 1)
    else:
        entry = world.entry(source)
        assert requests.parse(file.message) == SourceRequest(source.source_id, entry.attempt, Action.REDRIVE)
        assert file.attempt == case.attempt


def test_every_stall_reason_has_a_case():
    assert {case.why.split(":")[0] for case in CASES} >= set(StallReason)


# ── Late ──


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_a_file_in_flight_that_should_be_published_by_now_is_late(world, status):
    source = just(status)(world)
    file = finding_of(world, source, late=900)
    assert (file.state, file.message) == (State.LATE, "")
    assert file.why == f"{status}, but not published within 900 s"


def test_a_published_file_is_not_late(world):
    assert finding_of(world, just(Status.PUBLISHED)(world), late=900).state is State.IN_FLIGHT


def test_a_new_attempt_is_late_counted_from_its_own_begin(world):
    began = clock.seconds_before(clock.now(), 100)
    source = just(Status.RUNNING, attempt=2, validated_at=began)(world)
    assert finding_of(world, source, late=900).state is State.IN_FLIGHT
    assert finding_of(world, source, late=50).state is State.LATE


# ── The pipeline keeps running during an inspection ──


def finding_after(world: World, source: Source, change: Callable[[], object], grace: float = 300) -> FileFinding:
    """Return the finding about a source that changes after the inventory."""
    files = file_inspector(world, grace)
    inventory = files.take_inventory(WINDOW)
    change()
    [file] = [file for file in files.findings(inventory) if file.source_id == source.source_id]
    return file


def test_a_file_that_finishes_after_the_inventory_is_no_gap(world):
    source = ended(Status.RUNNING)(world)

    def archive() -> None:
        kept = source.kept_key("archive")
        world.s3.put_object(Bucket=LANDING, Key=kept, Body=b"x")
        delete(world, source)
        move(world, source, status="ARCHIVED", archive_key=kept)

    file = finding_after(world, source, archive)
    assert (file.state, file.message) == (State.OK, "")


def test_a_failed_file_that_is_redriven_after_the_inventory_is_in_flight(world):
    source = idle(Status.FAILED)(world)
    again = {"status": "VALID", "attempt": 2, "validated_at": clock.now()}
    file = finding_after(world, source, lambda: move(world, source, **again))
    assert (file.state, file.attempt, file.message) == (State.IN_FLIGHT, 2, "")


def test_a_file_that_is_received_after_the_inventory_is_not_missing(world):
    source = world.upload()
    just_now = {"updated_at": "9999-01-01T00:00:00.000Z"}
    receive = partial(world.put_entry, source, Status.RECEIVED, **just_now)
    assert finding_after(world, source, receive, ALWAYS_EXPIRED).state is State.IN_FLIGHT


def test_a_copy_made_after_its_prefix_was_listed_is_not_gone(world, monkeypatch):
    source = idle(Status.ARCHIVED)(world)
    monkeypatch.setattr(FileInspector, "_kept", lambda *_: iter(()))
    assert finding_of(world, source).state is State.OK


# ── Windows and prefixes ──

AT_REST = {"ARCHIVED", "QUARANTINED", "RETRACTED"}


@pytest.mark.parametrize("status", list(Status))
def test_finished_files_are_inspected_in_their_window_and_all_others_always(world, status):
    source = idle(status)(world)
    is_inspected = {window: source.source_id in file_findings(world, window) for window in (WINDOW, LATER_DAY, UNDATED)}
    assert is_inspected == {WINDOW: True, LATER_DAY: status not in AT_REST, UNDATED: status not in AT_REST}


def test_a_landed_file_without_entry_is_always_inspected(world):
    source = world.land()
    assert all(source.source_id in file_findings(world, window) for window in (WINDOW, LATER_DAY, UNDATED))


def test_a_quarantined_file_still_where_it_landed_is_found_in_every_window(world):
    source = quarantined_in_place(world).source
    assert all(finding_of(world, source, window=window).state is STUCK for window in (WINDOW, LATER_DAY, UNDATED))


def test_a_half_retracted_file_is_found_whenever_it_arrived(world):
    entry = half_retracted(world)
    move(world, entry.source, updated_at="2026-11-22T03:00:00.000Z")
    assert finding_of(world, entry.source, window=LATER_DAY, grace=ALWAYS_EXPIRED).why == StallReason.NOT_RETRACTED


def test_a_window_includes_its_first_and_last_date():
    window = Window("2024-02-28", "2024-03-01")
    assert window.dates == ["2024-02-28", "2024-02-29", "2024-03-01"]
    instants = ["2024-02-27T23:59:59.999Z", "2024-02-28T00:00:00.000Z", "2024-03-01T23:59:59.999Z", "2024-03-02T00:00"]
    assert [window.holds(instant) for instant in instants] == [False, True, True, False]
    assert (UNDATED.dates, UNDATED.holds(RECEIVED_AT), UNDATED.holds("9999-12-31")) == ([], False, False)


def test_only_the_dates_of_the_window_are_listed_under_archive_and_quarantine(world):
    requests_sent: list[tuple[str, str]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        requests_sent.append((model.name, params["query_string"].get("prefix", "")))

    with listening(world.s3, record, "before-call.s3.ListObjectsV2", "before-call.s3.ListObjectVersions"):
        file_inspector(world).take_inventory(Window("2026-11-20", "2026-11-21"))
        in_window = set(requests_sent)
        requests_sent.clear()
        file_inspector(world).take_inventory(UNDATED)
    arrivals_listed = {("ListObjectVersions", p) for p in ("incoming/", "reference/songs/", "reference/users/")}
    kept = {f"{prefix}/2026/11/{day}/" for prefix in ("archive", "quarantine") for day in ("20", "21")}
    assert in_window == arrivals_listed | {("ListObjectsV2", prefix) for prefix in kept}
    assert set(requests_sent) == arrivals_listed


def test_a_prefix_limits_the_inspection_to_keys_that_start_with_it(world):
    radio = [stored_entry(world, status, key=f"incoming/radio/{status}.csv").source for status in Status]
    radio.append(world.upload(key="incoming/radio/new.csv"))
    stored_entry(world, Status.FAILED, key="incoming/other/radio/x.csv")
    of_radio = file_findings(world, Window(ARRIVED, ARRIVED, "incoming/radio/"))
    assert of_radio.keys() == {source.source_id for source in radio}


# ── Orphans ──


@pytest.mark.parametrize("prefix", ["archive", "quarantine"])
def test_a_kept_object_without_ledger_entry_is_an_orphan(world, prefix):
    key = f"{prefix}/2026/11/21/{'f' * 32}/x.csv"
    world.s3.put_object(Bucket=LANDING, Key=key, Body=b"x")
    try:
        file = file_findings(world)["f" * 32]
        assert (file.state, file.key, file.message) == (State.ORPHAN, key, "")
        assert file.why == f"in {prefix}/, but no ledger entry has its source_id"
        assert "f" * 32 not in file_findings(world, LATER_DAY)
        # Its landing key is unknown, so no prefix includes it.
        assert "f" * 32 not in file_findings(world, Window(ARRIVED, ARRIVED, "incoming/"))
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
def test_an_unexpected_object_among_the_kept_files_is_an_orphan(world, prefix, rest):
    world.dynamodb.put_item(TableName=FILES, Item={"source_id": "FENCE#2024-06-25", "version": 1, "lake_uuid": "x"})
    key = f"{prefix}/2026/11/21/{rest}"
    world.s3.put_object(Bucket=LANDING, Key=key, Body=b"x")
    try:
        file = file_findings(world)[HOSTILE[rest]]
        assert (file.state, file.key, file.message) == (State.ORPHAN, key, "")
        assert file.why == f"in {prefix}/, but its key contains no source_id"
    finally:
        world.s3.delete_object(Bucket=LANDING, Key=key)


def test_a_reason_alone_is_neither_an_orphan_nor_a_copy(world):
    world.s3.put_object(Bucket=LANDING, Key=f"quarantine/2026/11/21/{'e' * 32}/reason.json", Body=b"x")
    assert "e" * 32 not in file_findings(world)
    source = without("quarantine", idle(Status.QUARANTINED))(world)
    reason = source.kept_key("quarantine").rsplit("/", 1)[0] + "/reason.json"
    world.s3.put_object(Bucket=LANDING, Key=reason, Body=b"x")
    assert finding_of(world, source).state is State.ORPHAN


def test_a_file_named_reason_json_is_a_copy(world):
    assert finding_of(world, idle(Status.QUARANTINED, key=f"incoming/{world.name('d')}/reason.json")(world)).state is OK


# ── Gone ──


@pytest.mark.parametrize("status", [Status.FAILED, Status.PUBLISHED])
def test_a_deleted_file_is_reported_only_in_the_window_of_its_last_change(world, status):
    source = without("", idle(status))(world)
    assert finding_of(world, source).why == "its object was deleted, but not by the pipeline: upload the file again"
    for window in (LATER_DAY, UNDATED):
        file = finding_of(world, source, window=window)
        assert (file.state, file.message) == (OK, "")


# ── Many ──


def test_every_page_is_read(emptied, monkeypatch):
    world = emptied
    sources: dict[str, list[Source]] = {
        status: [stored_entry(world, status).source for _ in range(5)]
        for status in (Status.ARCHIVED, Status.FAILED, Status.QUARANTINED)
    }
    sources["landed"] = [world.land() for _ in range(5)]
    pages: list[str] = []

    def limit_page(params: dict[str, Any], model: Any, **_: Any) -> None:
        pages.append(model.name)
        if model.name == "Query":
            params["Limit"] = 2
        elif model.name in {"ListObjectsV2", "ListObjectVersions"}:
            params["MaxKeys"] = 2

    event = "provide-client-params"
    with listening(world.s3, limit_page, event), listening(world.ledger._dynamodb, limit_page, event):
        files = file_findings(world)
    assert files.keys() == {source.source_id for some in sources.values() for source in some}
    assert {status: {files[source.source_id].state for source in some} for status, some in sources.items()} == {
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
    assert finding_of(world, source, window=window).state is OK
