"""The repairs of a reconciliation: the worst and oldest first, up to a cap, and none that could do harm."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams.policy import ATTEMPTS_BEFORE_QUARANTINE
from music_streams.reconcile.findings import (
    BAD_FILES,
    DayFinding,
    DayState,
    FileFinding,
    Findings,
    State,
    Window,
    counts_of,
)
from music_streams.reconcile.plan import Plan, Repair, RepairKind, plan
from music_streams.reconcile.records import DayRecord, Percentiles
from music_streams.reconcile.reports import Report, run_name
from music_streams.state import requests
from music_streams.state.requests import Action, Rebuild, SourceRequest

AT = "2026-11-22T04:15:00.123Z"
FAILED_AT = "2026-11-22T04:00:00.000Z"


def file(name: str, state: State = State.STUCK, **changes: Any) -> FileFinding:
    at = f"2026-11-21T{changes.pop('hour', 12):02}:00:00.000Z"
    key = changes.pop("key", f"incoming/{name}")
    gap = FileFinding(name.ljust(32, "0"), key, state, "why", at, FAILED_AT, attempt=2, message=f"message of {name}")
    return replace(gap, **changes)


def drifted(*days: str) -> list[DayFinding]:
    return [DayFinding(day, DayState.METRIC_DRIFT, "why", ["a difference"], 1, 7) for day in days]


def findings(*files: FileFinding, days: list[DayFinding] | None = None, published: str = "") -> Findings:
    return Findings(Window("2026-11-21", "2026-11-22"), AT, counts_of(files, 0), [*files], days or [], published)


def names(planned: Plan) -> list[str]:
    return [repair.name for repair in planned.repairs]


def requested(repair: Repair) -> Any:
    return requests.parse(repair.message)


# ── Choice and order ──


def test_the_worst_gaps_come_first_then_the_oldest():
    files = [file(f"{state} {hour}", state, hour=hour) for state in reversed(BAD_FILES) for hour in (3, 1, 2)]
    expected = [f"{state} {hour}".replace(" ", "_") for state in BAD_FILES for hour in (1, 2, 3)]
    assert names(plan(findings(*files), AT, 100)) == expected


def test_a_gap_without_message_is_not_repaired():
    assert plan(findings(file("x", State.ORPHAN, message="")), AT, 10) == Plan([])


@pytest.mark.parametrize("state", [State.OK, State.IN_FLIGHT])
def test_a_file_without_gap_is_not_repaired(state):
    assert plan(findings(file("x", state)), AT, 10) == Plan([])


@pytest.mark.parametrize(("most", "count", "left"), [(0, 0, 5), (4, 4, 1), (5, 5, 0), (6, 5, 0)])
def test_repairs_are_capped_and_the_rest_is_counted(most, count, left):
    planned = plan(findings(*(file(f"{n}") for n in range(4)), days=drifted("2024-06-25")), AT, most)
    assert (len(planned.repairs), planned.left) == (count, left)


def test_a_missing_file_is_replayed_with_a_ledger_entry_and_redriven_without():
    known = file("known", State.MISSING, status="ARCHIVED", hour=1)
    unknown = file("unknown", State.MISSING, hour=2)
    planned = plan(findings(known, unknown), AT, 10).repairs
    assert [(repair.what, repair.name, repair.message) for repair in planned] == [
        (RepairKind.REPLAY, "known", "message of known"),
        (RepairKind.REDRIVE, "unknown", "message of unknown"),
    ]


# ── Quarantine ──


def failing(name: str = "x.csv", **changes: Any) -> FileFinding:
    failures = ATTEMPTS_BEFORE_QUARANTINE
    failed = file(name, State.FAILED, failures=failures, is_outlived=True, attempt=4, status="FAILED")
    return replace(failed, **changes)


@pytest.mark.parametrize(("attempts", "kind"), [(5, RepairKind.PUT_ASIDE), (6, RepairKind.REDRIVE)])
def test_a_file_is_quarantined_after_the_stacks_number_of_attempts(attempts, kind):
    [repair] = plan(findings(failing(failures=5)), AT, 10, attempts).repairs
    assert repair.what is kind


def test_a_file_that_failed_often_while_others_succeeded_is_quarantined():
    [repair] = plan(findings(failing("f00d")), AT, 10).repairs
    assert (repair.what, repair.attempt) == (RepairKind.PUT_ASIDE, 4)
    assert requested(repair) == SourceRequest("f00d".ljust(32, "0"), 3, Action.PUT_ASIDE)
    assert repair.why == "3 attempts failed, and other files were published in between"


@pytest.mark.parametrize(
    "one",
    [
        failing(failures=ATTEMPTS_BEFORE_QUARANTINE - 1),
        failing(is_outlived=False),
        failing(key="reference/songs/songs.csv"),
        failing(key="reference/users/users.csv"),
        file("x.csv", State.STUCK, failures=ATTEMPTS_BEFORE_QUARANTINE, is_outlived=True),
    ],
    ids=["fewer failures", "no other file succeeded", "songs", "users", "not failed"],
)
def test_any_other_failed_file_is_redriven(one):
    [repair] = plan(findings(one), AT, 10).repairs
    assert (repair.what, repair.message) == (RepairKind.REDRIVE, one.message)


# ── Days ──


def test_drifted_days_are_rebuilt_31_at_a_time():
    days = [f"2024-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    planned = plan(findings(days=drifted(*days)), AT, 10).repairs
    asked = [requested(repair) for repair in planned]
    assert [len(request.days) for request in asked] == [31, 25]
    assert [day for request in asked for day in request.days] == days
    assert [repair.batch_id for repair in planned] == [request.batch_id for request in asked]
    assert [repair.name for repair in planned] == ["2024-01-01 … 2024-02-03", "2024-02-04 … 2024-02-28"]
    assert {request.requested_at for request in asked} == {AT}


def test_files_come_before_days_and_a_day_that_a_files_repair_computes_is_not_rebuilt():
    missing = file("x", State.MISSING, status="ARCHIVED", days=["2024-06-24", "2024-06-25"])
    planned = plan(findings(missing, days=drifted("2024-06-25", "2024-06-26")), AT, 10).repairs
    assert [repair.what for repair in planned] == [RepairKind.REPLAY, RepairKind.REBUILD]
    assert requested(planned[1]) == Rebuild(["2024-06-26"], AT)


def test_a_day_is_not_rebuilt_while_its_files_repair_waits_because_of_the_cap():
    files = [file("a", State.MISSING), file("b", State.MISSING, days=["2024-06-25"], hour=13)]
    planned = plan(findings(*files, days=drifted("2024-06-25")), AT, 1)
    assert (names(planned), planned.left) == (["a"], 1)


def test_parked_files_are_replayed_after_all_other_repairs_and_do_not_prevent_a_rebuild():
    parked, stuck = file("parked", State.PARKED, days=["2024-06-25"], hour=1), file("stuck", hour=2)
    planned = plan(findings(parked, stuck, days=drifted("2024-06-25")), AT, 10).repairs
    assert [(repair.what, repair.name) for repair in planned] == [
        (RepairKind.REDRIVE, "stuck"),
        (RepairKind.REBUILD, "2024-06-25"),
        (RepairKind.REPLAY, "parked"),
    ]
    assert (planned[2].message, planned[2].attempt) == ("message of parked", 2)


@pytest.mark.parametrize("state", [DayState.OK, DayState.IN_FLIGHT, DayState.LAKE_LOST])
def test_only_a_drifted_day_is_rebuilt(state):
    assert plan(findings(days=[DayFinding("2024-06-25", state)]), AT, 10) == Plan([])


# ── The sentence ──


def test_the_sentence_starts_with_the_worst():
    files = [file("x", state) for state in (State.LATE, State.ORPHAN, State.ORPHAN, State.IN_FLIGHT)]
    days = [*drifted("2024-06-25", "2024-06-26"), DayFinding("2024-06-27", DayState.LAKE_LOST)]
    inspected = findings(*files, days=days)
    assert inspected.sentence == "1 LATE, 2 ORPHAN, 1 day LAKE_LOST, 2 days METRIC_DRIFT, 0 OK, 1 in flight"
    assert not inspected.is_whole


def test_files_and_days_in_flight_are_no_gap():
    inspected = findings(file("x", State.IN_FLIGHT), days=[DayFinding("2024-06-25", DayState.IN_FLIGHT)])
    assert inspected.is_whole
    assert inspected.sentence == "no gaps, 0 OK, 2 in flight"


# ── JSON ──


def any_of(kind: type[Any], **chosen: Any) -> st.SearchStrategy[Any]:
    """Return any instance of a dataclass, by the types of its fields; `chosen` has strategies for some of them."""
    return st.builds(kind, **{field.name: chosen.get(field.name, ...) for field in fields(kind)})


def some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=2)


seconds = st.floats(0, 1e9)
percentiles = any_of(Percentiles, p50=seconds, p95=seconds, p99=seconds)
hours = st.lists(st.integers(), min_size=24, max_size=24)
day_records = any_of(
    DayRecord,
    target_seconds=seconds,
    arrivals_by_hour=hours,
    published_by_hour=hours,
    to_published=st.none() | percentiles,
    stages=st.dictionaries(st.text(), percentiles, max_size=2),
)
every_file, every_day = some(any_of(FileFinding)), some(any_of(DayFinding))
all_findings = any_of(Findings, window=any_of(Window), looked_at=st.just(AT), files=every_file, days=every_day)
repairs = any_of(Repair)
reports = any_of(Report, before=all_findings, after=st.none() | all_findings, repairs=some(repairs))


@given(st.one_of(all_findings, repairs, reports, day_records))
def test_json_round_trips(stored):
    assert type(stored).from_json(json.loads(json.dumps(stored.as_json()))) == stored


def test_a_report_has_the_sentence_of_its_last_findings():
    before, after = findings(file("x")), findings()
    report = Report(run_name(AT), "x", dry_run=False, before=before, after=after).as_json()
    assert (report["is_whole"], report["sentence"]) == (True, "no gaps, 0 OK")
    assert not Report(run_name(AT), "x", dry_run=True, before=before, after=None).is_whole


def test_names_of_reports_sort_by_time():
    assert run_name(AT) == "20261122T041500123Z"
