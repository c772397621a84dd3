"""Files whose parked rows have tracks that songs files contain now are found and replayed, once for the same songs."""

import json
from dataclasses import replace
from typing import Any

import pytest

from music_streams import clock
from music_streams.reconcile.findings import DayState, FileFinding, Findings, State, Window
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.plan import RepairKind
from music_streams.reconcile.reconciler import Inspection, Reconciler
from music_streams.reconcile.reports import Report, Reports
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action, SourceRequest
from music_streams.state.statuses import Status
from tests.integration.domain.world import FILES, LAKE, LANDING, World
from tests.integration.reconcile.parked_rows import KNOWN, NEW, OTHER, archived, put_songs, rejected
from tests.integration.reconcile.stage import ARRIVED, WINDOW, MemoryLake, listening, stack_of

LONG_AGO = "2026-01-05T10:00:00.000Z"


@pytest.fixture
def stack(emptied: World) -> Stack:
    put_songs(emptied, KNOWN)
    return stack_of(emptied)


@pytest.fixture
def lake(monkeypatch) -> MemoryLake:
    made = MemoryLake()
    monkeypatch.setattr(LakeReader, "of", lambda _: made)
    return made


@pytest.fixture
def inspect(stack, lake):
    """Inspect files."""

    def inspected(window: Window = WINDOW) -> Inspection:
        return Reconciler(stack).inspect(window)

    return inspected


@pytest.fixture
def digest(inspect) -> str:
    """The songs versions in force before a test puts others."""
    return str(inspect().songs_digest)


def report(stack: Stack, inspection: Inspection) -> Report:
    """Write and return the report of an inspection without repairs."""
    without_songs = Report("20261121T220000000Z", "a test", dry_run=True, before=inspection.findings, after=None)
    written = replace(without_songs, songs_digest=inspection.songs_digest)
    Reports(stack.s3, LAKE).write(written)
    return written


def parked(inspection: Inspection) -> list[FileFinding]:
    return [file for file in inspection.findings.files if file.state is State.PARKED]


def names(inspection: Inspection) -> set[str]:
    return {file.source_id for file in parked(inspection)}


def rows_of(*entries: Entry) -> list[dict[str, Any]]:
    return [rejected(entry) for entry in entries]


# ── Which files ──


def test_a_file_that_landed_before_its_songs_is_replayed(emptied, stack, lake, inspect, digest):
    entry = archived(emptied, songs_digest=digest, days=["2024-06-25"], rows_accepted=0)
    lake.rejected = rows_of(entry)
    before = inspect().findings
    assert (before.sentence, before.counts) == ("no gaps, 2 OK", {"OK": 2})  # with the songs file itself
    put_songs(emptied, KNOWN, NEW)
    findings = inspect().findings
    [file] = findings.files
    assert (file.state, file.attempt, file.days) == (State.PARKED, 2, ["2024-06-25"])
    assert file.why == "parked rows whose track is in a songs file now: 1"
    assert (findings.sentence, findings.is_whole) == ("1 PARKED, 2 OK", False)
    [repair] = Reconciler(stack).plan(findings).repairs
    assert (repair.what, repair.source_id, repair.attempt) == (RepairKind.REPLAY, entry.source.source_id, 2)
    assert requests.parse(repair.message) == SourceRequest(entry.source.source_id, 1, Action.REPLAY)


def test_a_file_is_ok_if_new_songs_contain_none_of_its_tracks(emptied, lake, inspect, digest):
    lake.rejected = [rejected(archived(emptied, songs_digest=digest), f"7,{OTHER},2024-06-25")]
    put_songs(emptied, KNOWN, NEW)
    inspection = inspect()
    assert parked(inspection) == []
    assert inspection.songs_digest not in {"", digest}


def test_a_file_that_ran_with_the_songs_in_force_is_ok_whatever_its_rows_contain(emptied, lake, inspect, digest):
    entry = archived(emptied, songs_digest=digest)
    lake.rejected = [rejected(entry, f"7,{OTHER},2024-06-25,{KNOWN}")]
    assert (parked(inspect()), lake.searches) == ([], ["sources", "sources"])
    emptied.put_entry(entry.source, **vars_of(entry, songs_digest="other"))
    assert names(inspect()) == {entry.source.source_id}


def vars_of(entry: Entry, **changes: Any) -> dict[str, Any]:
    names = ("status", "archive_key", "execution_arn", "rejected", "updated_at")
    attributes = {name: getattr(entry, name) for name in names}
    return attributes | changes


def test_an_entry_of_an_earlier_version_has_run_with_unknown_songs(emptied, lake, inspect):
    lake.rejected = [rejected(archived(emptied), f"7,{KNOWN},2024-06-25")]
    assert len(parked(inspect())) == 1


@pytest.mark.parametrize(
    ("raw", "is_known"),
    [
        (f"7,{NEW},2024-06-25", True),
        (f"{NEW},7,2024-06-25", True),
        (f"2024-06-25,7,{NEW}", True),
        (f'7,"{NEW}","2024-06-25"', True),
        (f"7,{NEW}", True),
        (f"7,x{NEW},2024-06-25", False),
        (f"7,{NEW}0,2024-06-25", False),
        (f"7,{NEW}{KNOWN},2024-06-25", False),
        (f"7,{NEW[:21]},2024-06-25", False),
        (f"7,{NEW.lower()},2024-06-25", False),
        ("", False),
        (None, False),
    ],
)
def test_only_22_letters_and_digits_in_a_row_may_be_a_track(emptied, lake, inspect, raw, is_known):
    lake.rejected = [rejected(archived(emptied), raw)]
    put_songs(emptied, NEW, KNOWN)
    assert len(parked(inspect())) == is_known


def test_rows_are_counted_once_by_file_and_only_parked_ones(emptied, lake, inspect):
    first, second = archived(emptied), archived(emptied)
    lake.rejected = [
        rejected(first, f"7,{NEW},{KNOWN}"),
        rejected(first, f"7,{NEW},{NEW}"),
        rejected(first, f"7,{OTHER}"),
        rejected(first, f"7,{NEW}", "future_listen_time"),
        rejected(second, f"7,{KNOWN}"),
    ]
    put_songs(emptied, NEW, KNOWN, KNOWN)
    found = {file.source_id: file.why for file in parked(inspect())}
    assert found == {
        first.source.source_id: "parked rows whose track is in a songs file now: 2",
        second.source.source_id: "parked rows whose track is in a songs file now: 1",
    }


@pytest.mark.parametrize(
    "attributes",
    [
        {"treatment": "retract"},
        {"status": Status.RETRACTED, "treatment": "retract"},
        {"status": Status.QUARANTINED, "reason": "too_many_bad_rows"},
        {"status": Status.FAILED},
        {"status": Status.VALID},
        {"rejected": {"duplicate": 1}},
    ],
    ids=lambda attributes: " ".join(map(str, attributes.values())),
)
def test_only_an_archived_file_with_parked_rows_is_replayed(emptied, stack, lake, inspect, attributes):
    lake.rejected = rows_of(archived(emptied, LONG_AGO, **attributes))
    put_songs(emptied, NEW)
    assert parked(inspect()) == []
    assert Reconciler(stack)._parked_finder.find([], None, "").files == []


def test_a_file_without_rows_in_the_lake_is_missing_not_parked(emptied, lake, inspect):
    entry = archived(emptied, days=["2024-06-25"], rows_accepted=1)
    lake.rejected = rows_of(entry)
    put_songs(emptied, NEW)
    found = {file.source_id: file.state for file in inspect().findings.files}
    assert found == {entry.source.source_id: State.MISSING}


def test_no_single_file_of_a_lost_lake_is_replayed(emptied, lake, inspect):
    fence = {"source_id": "FENCE#2024-06-25", "version": 7, "lake_uuid": "another lake", "keys": {"GENRE#pop"}}
    emptied.dynamodb.put_item(TableName=FILES, Item=fence)
    lake.rejected = rows_of(archived(emptied, days=["2024-06-25"]), archived(emptied))
    put_songs(emptied, NEW)
    inspection = inspect()
    assert [day.state for day in inspection.findings.days] == [DayState.LAKE_LOST]
    assert (parked(inspection), inspection.songs_digest) == ([], "")


def test_a_file_whose_copy_expired_is_not_replayed(emptied, lake, inspect):
    here, gone = (archived(emptied, LONG_AGO) for _ in range(2))
    emptied.s3.delete_object(Bucket=LANDING, Key=gone.archive_key)
    lake.rejected = rows_of(here, gone)
    put_songs(emptied, NEW)
    assert names(inspect()) == {here.source.source_id}


# ── Songs in force ──


def test_without_songs_in_force_no_file_is_searched(emptied, lake, inspect):
    emptied.s3.delete_object(Bucket=LANDING, Key="reference/songs/songs.csv")
    lake.rejected = rows_of(archived(emptied))
    assert (inspect().songs_digest, parked(inspect()), lake.searches) == ("", [], [])


def test_without_a_table_of_rejected_rows_no_file_is_parked(emptied, lake, inspect):
    lake.rejected = None
    archived(emptied)
    assert parked(inspect()) == []


def test_a_songs_version_that_no_run_has_read_yet_is_not_in_force(emptied, lake, inspect):
    lake.rejected = rows_of(archived(emptied))
    put_songs(emptied, NEW, is_parsed=False)
    assert parked(inspect()) == []


@pytest.mark.parametrize(("ratio", "count"), [({}, 0), ({"MaxRejectedRatio": "0.5"}, 1)])
def test_a_songs_version_over_the_limit_of_the_stack_is_not_in_force(emptied, stack, lake, ratio, count):
    lake.rejected = rows_of(archived(emptied))
    put_songs(emptied, NEW, bad=1, status=Status.FAILED, first_published_at="", reason="no_reference_data")
    limited = replace(stack, outputs={**stack.outputs, **ratio})
    assert len(parked(Reconciler(limited).inspect(WINDOW))) == count


# ── Files of other dates ──


def test_a_file_of_any_date_is_found_when_the_songs_changed(emptied, stack, lake, inspect):
    entry = archived(emptied, LONG_AGO)
    lake.rejected = rows_of(entry)
    report(stack, inspect())
    lake.searches.clear()
    assert (parked(inspect()), lake.searches) == ([], [])
    put_songs(emptied, NEW)
    inspection = inspect()
    assert names(inspection) == {entry.source.source_id}
    assert inspection.findings.counts == {"OK": 2, "PARKED": 1}  # OK: the two versions of the songs file
    assert inspection.songs_digest == ""
    report(stack, inspection)
    assert names(inspect()) == {entry.source.source_id}


def test_files_of_other_dates_are_searched_after_a_report_of_an_earlier_version(emptied, stack, lake, inspect):
    written = report(stack, inspect())
    stored = json.loads(emptied.content("reports/latest.json", LAKE) or b"")
    assert stored.pop("songs_digest")
    emptied.s3.put_object(Bucket=LAKE, Key="reports/latest.json", Body=json.dumps(stored).encode())
    assert replace(written, songs_digest="") == Reports(stack.s3, LAKE).latest()
    entry = archived(emptied, LONG_AGO)
    lake.rejected = [rejected(entry, KNOWN)]
    assert names(inspect()) == {entry.source.source_id}


def test_a_file_of_another_date_that_ended_since_the_last_report_is_found(emptied, stack, lake, inspect, digest):
    entry = archived(emptied, LONG_AGO, status=Status.FAILED)
    put_songs(emptied, NEW)
    before_its_end = inspect()
    assert [file.state for file in before_its_end.findings.files] == [State.FAILED]
    assert before_its_end.songs_digest not in {"", digest}
    report(stack, before_its_end)
    emptied.put_entry(entry.source, **vars_of(entry, status=Status.ARCHIVED, songs_digest=digest))
    lake.rejected = rows_of(entry)
    assert names(inspect()) == {entry.source.source_id}


def test_the_ledger_is_not_scanned(emptied, stack, lake, inspect):
    lake.rejected = rows_of(archived(emptied), archived(emptied, LONG_AGO))
    put_songs(emptied, NEW)
    scans: list[str] = []
    with listening(stack.dynamodb, lambda **_: scans.append("x"), "before-call.dynamodb.Scan"):
        assert len(parked(inspect())) == 2
    assert scans == []


def test_with_a_prefix_only_its_files_are_found_and_the_others_are_searched_later(emptied, lake, inspect):
    radio, other = archived(emptied, LONG_AGO, key="incoming/radio/a.csv"), archived(emptied, LONG_AGO)
    lake.rejected = rows_of(radio, other)
    put_songs(emptied, NEW)
    inspection = inspect(Window(ARRIVED, ARRIVED, "incoming/radio/"))
    assert names(inspection) == {radio.source.source_id}
    assert inspect(Window(ARRIVED, ARRIVED, "incoming/none/")).songs_digest == ""


def test_a_window_without_dates_has_no_parked_files(emptied, lake, inspect):
    lake.rejected = rows_of(archived(emptied))
    put_songs(emptied, NEW)
    assert (inspect(Window.of_unfinished()).findings.files, lake.searches) == ([], [])


# ── Repairs ──


def test_replays_are_limited_and_the_rest_is_left_to_the_next_reconciliation(emptied, stack, lake, inspect):
    entries = [archived(emptied, clock.seconds_before(LONG_AGO, number)) for number in range(5)]
    lake.rejected = rows_of(*entries)
    put_songs(emptied, NEW)
    planned = Reconciler(stack).plan(inspect().findings, 2)
    assert [repair.source_id for repair in planned.repairs] == [each.source.source_id for each in entries[:2:-1]]
    assert planned.left == 3
    for entry in entries[3:]:
        emptied.put_entry(entry.source, **vars_of(entry, rejected={}))
    assert names(inspect()) == {entry.source.source_id for entry in entries[:3]}


def test_a_replayed_file_is_ok_and_no_alert_is_sent(emptied, stack, lake, inspect):
    entry = archived(emptied)
    lake.rejected = rows_of(entry)
    put_songs(emptied, NEW)
    before = inspect()
    emptied.put_entry(entry.source, **vars_of(entry, rejected={}))
    after = inspect()
    reconciler = Reconciler(stack)
    done = Report("20261121T220000000Z", "a test", dry_run=False, before=before.findings, after=after.findings)
    reconciler.report(replace(done, songs_digest=after.songs_digest), [])
    assert (after.findings.is_whole, emptied.sent_alerts()) == (True, [])
    latest = Reports(stack.s3, LAKE).latest()
    assert latest
    assert latest.songs_digest == after.songs_digest != ""


def test_findings_with_parked_files_are_reported(stack):
    file = FileFinding("a" * 32, "incoming/x.csv", State.PARKED, "why", LONG_AGO, message="m")
    findings = Findings(WINDOW, LONG_AGO, {"OK": 0, "PARKED": 1}, [file], [])
    written = Report("20261121T220000000Z", "a test", dry_run=True, before=findings, after=None)
    Reports(stack.s3, LAKE).write(written)
    assert Reports(stack.s3, LAKE).latest() == written
