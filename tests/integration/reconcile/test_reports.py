"""The results of a reconciliation: reports, alerts, drafts between its steps; and what it waits for."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.errors import DamagedObject, FailureNotRecorded, QueueRefused
from music_streams.reconcile import backfill, waiting
from music_streams.reconcile.findings import (
    BAD_DAYS,
    BAD_FILES,
    DayFinding,
    DayState,
    FileFinding,
    Findings,
    State,
    Window,
)
from music_streams.reconcile.plan import Plan, Repair, RepairKind
from music_streams.reconcile.reconciler import RUNBOOKS, Inspection, Reconciler, window_of
from music_streams.reconcile.records import DayRecord
from music_streams.reconcile.report_drafts import Drafts
from music_streams.reconcile.reports import Report, Reports, run_name
from music_streams.reconcile.stalled import StallReason
from music_streams.state import requests
from music_streams.state.requests import Action, Rebuild, SourceRequest
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.stored_sources import alive, half_retracted, quarantined_in_place, stored_entry
from tests.integration.domain.validate import deliver, message
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, LAKE, World
from tests.integration.reconcile.stage import listening, stack_of

AT = "2026-11-22T04:15:00.123Z"
DAY = "2024-06-25"


@pytest.fixture
def stack(emptied):
    return stack_of(emptied)


@pytest.fixture
def reports(world, stack):
    return Reports(world.s3, LAKE)


def failed(name: str = "x.csv", **changes: Any) -> FileFinding:
    key = f"incoming/{name}"
    return replace(FileFinding(name.ljust(32, "0"), key, State.FAILED, "failed: no_luck", AT), **changes)


def drifted(day: str = DAY) -> DayFinding:
    return DayFinding(day, DayState.METRIC_DRIFT, "its items differ from the lake", ["a difference"], 1, 7)


def findings(*files: FileFinding, days: list[DayFinding] | None = None, at: str = AT) -> Findings:
    return Findings(Window("2026-11-21", "2026-11-22"), at, {"OK": 0}, [*files], days or [])


def report(*files: FileFinding, days: list[DayFinding] | None = None, at: str = AT, **changes: Any) -> Report:
    before = findings(*files, days=days, at=at)
    return replace(Report(run_name(at), "a test", dry_run=False, before=before, after=None), **changes)


# ── Reports ──


def test_without_reports_there_is_no_latest_report(reports):
    assert (reports.latest(), list(reports.of_dates("2026-11-01", "2026-11-30"))) == (None, [])
    assert reports.records("2026-11-01", "2026-11-30") == []


def test_a_report_is_read_as_it_was_written(world, reports):
    repairs = [Repair(RepairKind.REDRIVE, "x.csv", "why", "message", "x" * 32, 2)]
    written = report(failed(), days=[drifted()], after=findings(), repairs=repairs, left=3, songs_digest="songs")
    assert reports.write(written) == "s3://lake/reports/reconcile/2026-11-22/20261122T041500123Z.json"
    assert reports.latest() == written
    assert list(reports.of_dates("2026-11-22", "2026-11-22")) == [written]
    stored = world.content("reports/reconcile/2026-11-22/20261122T041500123Z.json", LAKE)
    assert json.loads(stored)["sentence"] == "no gaps, 0 OK"


def _changed(report: Report, **changes: Any) -> bytes:
    return json.dumps(report.as_json() | changes).encode()


DAMAGED = {
    "no JSON": b"not json",
    "no object": b"[]",
    "nothing in it": b"{}",
    "half a surrogate pair": b'{"run": "\\ud800"}',
    "a number that is none": b'{"run": NaN}',
    "another state": _changed(report(failed())).replace(b"FAILED", b"NEITHER"),
    "other types": _changed(report(), left="3"),
    "other types inside": _changed(report(), before={**findings().as_json(), "counts": {"OK": "0"}}),
    "no timestamp": _changed(report(), before={**findings().as_json(), "looked_at": "yesterday"}),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_report_is_treated_as_missing_and_logged(world, reports, damaged, caplog):
    reports.write(report())
    other = "reports/reconcile/2026-11-22/20261122T040000000Z.json"
    day = "reports/days/2026-11-22.json"
    for key in ("reports/latest.json", other, day):
        world.s3.put_object(Bucket=LAKE, Key=key, Body=damaged)
    assert reports.latest() is None
    assert list(reports.of_dates("2026-11-22", "2026-11-22")) == [report()]
    assert reports.named("20261122T040000000Z") is None
    assert reports.records("2026-11-21", "2026-11-23") == []
    logged = [record.getMessage().partition(" is damaged: ")[0] for record in caplog.records]
    assert logged == [f"s3://lake/{key}" for key in ("reports/latest.json", other, other, day)]


def test_an_unprintable_key_is_logged_as_one_printable_line(world, reports, caplog):
    key = "reports/reconcile/2026-11-22/\u202e ü.json"
    world.s3.put_object(Bucket=LAKE, Key=key, Body=b"{}")
    assert list(reports.of_dates("2026-11-22", "2026-11-22")) == []
    [line] = [record.getMessage() for record in caplog.records]
    assert line.isprintable()
    assert line.isascii()


@pytest.mark.parametrize("damaged", [b"not json", b"{}", b'{"findings": {}, "records": []}'])
def test_a_damaged_draft_is_an_error_with_what_to_do(world, damaged):
    drafts = Drafts(world.s3, LAKE, "a run")
    drafts.write_inspection("before", Inspection(findings(), []))
    [draft] = world.s3.list_objects_v2(Bucket=LAKE, Prefix="reports/drafts/")["Contents"]
    world.s3.put_object(Bucket=LAKE, Key=draft["Key"], Body=damaged)
    with pytest.raises(DamagedObject, match=rf"{draft['Key']} is damaged: .*start the reconciliation again"):
        drafts.inspection("before")


def test_reports_of_dates_come_newest_first_and_the_latest_is_the_last_one_written(reports):
    timestamps = ["2026-11-20T23:59:59.999Z", "2026-11-21T00:00:00.000Z", "2026-11-21T10:00:00.000Z", AT]
    for at in [timestamps[2], timestamps[0], timestamps[3], timestamps[1]]:
        reports.write(report(at=at))
    names = [run_name(at) for at in timestamps[::-1]]
    assert [found.run for found in reports.of_dates("2026-11-20", "2026-11-22")] == names
    assert [found.run for found in reports.of_dates("2026-11-21", "2026-11-21")] == names[1:3]
    assert reports.latest().run == run_name(timestamps[1])


def test_reports_are_read_lazily(reports, world):
    for seconds in range(5):
        reports.write(report(at=clock.seconds_before(AT, seconds)))
    reads: list[str] = []
    with listening(world.s3, lambda **_: reads.append("x"), "before-call.s3.GetObject"):
        assert next(reports.of_dates("2026-11-22", "2026-11-22")).run == run_name(AT)
    assert len(reads) == 1


def test_the_figures_of_a_date_are_overwritten(reports):
    first, second = DayRecord("2026-11-20", AT, 900), DayRecord("2026-11-22", AT, 900, arrivals=2)
    reports.write(report(), [DayRecord("2026-11-22", AT, 900, arrivals=1), first])
    reports.write(report(), [second])
    assert reports.records("2026-11-19", "2026-11-22") == [first, second]


def test_a_bucket_that_cannot_be_read_is_an_error(world, stack):
    with pytest.raises(ClientError):
        Reports(world.s3, "no-such-bucket").latest()


# ── Alerts ──


def alerts(world: World, reconciler: Reconciler, report: Report) -> list[dict[str, str]]:
    reconciler.report(report, [])
    return world.sent_alerts()


def lines_of(alert: dict[str, str]) -> list[str]:
    return alert["Message"].splitlines()[1:]  # after the name of the stack


def test_operators_are_alerted_about_problems(world, stack):
    lost = DayFinding("2026-11-20", DayState.LAKE_LOST, "no lake")
    [alert] = alerts(world, Reconciler(stack), report(failed(), days=[drifted(), lost]))
    assert alert["Subject"] == "music-streams: reconciliation: 1 FAILED, 1 day LAKE_LOST, 1 day METRIC_DRIFT, 0 OK"
    assert lines_of(alert) == [
        "No repair was requested.",
        "New since the last report:",
        "LAKE_LOST: 2026-11-20: no lake",
        "FAILED: incoming/x.csv (x.csv000): failed: no_luck",
        f"METRIC_DRIFT: {DAY}: its items differ from the lake",
        "What to do about LAKE_LOST: docs/runbooks.md#the-lake-is-lost",
        "What to do about FAILED: docs/runbooks.md#runs-fail",
        "What to do about METRIC_DRIFT: docs/runbooks.md#metrics-are-wrong-or-lost",
        "Full report: s3://lake/reports/reconcile/2026-11-22/20261122T041500123Z.json",
    ]


def test_a_problem_of_the_previous_report_is_not_alerted_again(world, stack):
    reconciler = Reconciler(stack)
    assert len(alerts(world, reconciler, report(failed(), days=[drifted()]))) == 1
    assert alerts(world, reconciler, report(failed(), days=[drifted()])) == []
    [alert] = alerts(world, reconciler, report(failed(), failed("y.csv"), days=[drifted()]))
    assert lines_of(alert)[1:4] == [
        "New since the last report:",
        "FAILED: incoming/y.csv (y.csv000): failed: no_luck",
        "Already reported: 2",
    ]
    assert "x.csv" not in alert["Message"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"after": findings(failed())}, "These problems remain after 1 repair."),
        (
            {"after": findings(failed()), "left": 2},
            "These problems remain after 1 repair. 2 repairs over the limit: left to the next reconciliation.",
        ),
        ({"dry_run": True}, "Dry run: no repair was requested."),
    ],
    ids=["repaired", "over the limit", "dry run"],
)
def test_an_alert_begins_with_what_was_tried(world, stack, changes, line):
    repairs = [Repair(RepairKind.REDRIVE, "x.csv", "why", "message", "x" * 32, 2)]
    [alert] = alerts(world, Reconciler(stack), report(failed(), repairs=repairs, **changes))
    assert lines_of(alert)[0] == line


def test_every_state_that_is_a_gap_has_a_runbook():
    assert set(RUNBOOKS) == {*BAD_FILES, *BAD_DAYS}


@pytest.mark.parametrize(
    ("successive", "counts"),
    [
        ([report(failed()), report(failed(), failed(source_id="f" * 32))], [1, 1]),
        ([report(failed()), report(), report(failed())], [1, 0, 1]),
        ([report(failed(), after=findings())], [0]),
        ([report(failed(state=State.IN_FLIGHT))], [0]),
        ([report(days=[DayFinding(DAY, DayState.IN_FLIGHT)])], [0]),
    ],
    ids=["another version", "came back", "repaired", "in flight", "day in flight"],
)
def test_an_alert_is_sent_only_for_new_problems_that_are_left(world, stack, successive, counts):
    assert [len(alerts(world, Reconciler(stack), each)) for each in successive] == counts


def test_a_parked_file_is_alerted_only_after_its_replay(world, stack):
    waiting_for_next = report(parked := failed(state=State.PARKED), left=1, after=findings(parked))
    repairs = [Repair(RepairKind.REPLAY, "x.csv", "why", "message", parked.source_id, 2)]
    planned = report(parked, repairs=repairs, dry_run=True)
    tried = report(parked, repairs=repairs, after=findings(parked))
    reconciler = Reconciler(stack)
    assert [len(alerts(world, reconciler, each)) for each in (waiting_for_next, planned, tried, tried)] == [0, 0, 1, 0]


def test_the_first_of_many_problems_are_listed(world, stack):
    [alert] = alerts(world, Reconciler(stack), report(*(failed(f"{n:02}.csv") for n in range(60))))
    lines = lines_of(alert)
    assert (len(lines), lines[52]) == (55, "and 10 more")


def test_an_alert_that_failed_is_sent_by_a_retry(world, stack, monkeypatch):
    reconciler = Reconciler(stack)
    with monkeypatch.context() as broken:
        broken.setitem(stack.outputs, "AlertsTopicArn", stack.outputs["AlertsTopicArn"] + "-gone")
        with pytest.raises(ClientError):
            reconciler.report(report(failed()), [])
    assert len(alerts(world, reconciler, report(failed()))) == 1
    assert alerts(world, reconciler, report(failed())) == []


# ── Drafts ──

HOSTILE_RUNS = [
    *("manual__2026-11-22T04:15:00+00:00", "../../warehouse/x", "x/../../y", "..", "/", "", "a" * 250, "星空\n"),
]


@pytest.mark.parametrize("run_id", HOSTILE_RUNS)
def test_drafts_stay_under_their_prefix_whatever_the_run_is_called(world, stack, run_id):
    drafts = Drafts(world.s3, LAKE, run_id)
    drafts.write_inspection("before", Inspection(findings(failed()), []))
    drafts.write_plan(Plan([]))
    keys = [found["Key"] for found in world.s3.list_objects_v2(Bucket=LAKE)["Contents"]]
    [(folder, _, before), (other, _, plan)] = [key.rpartition("/") for key in keys]
    assert re.fullmatch(r"reports/drafts/[0-9a-f]{32}", folder)
    assert (other, before, plan) == (folder, "before.json", "plan.json")


def test_a_run_reads_the_last_one_of_its_own_drafts(world, stack):
    for run, name in (("a", "early"), ("a", "late"), ("b", "b")):
        Drafts(world.s3, LAKE, run).write_inspection("before", Inspection(findings(failed(name)), []))
    assert Drafts(world.s3, LAKE, "a").inspection("before") == Inspection(findings(failed("late")), [])


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_report_is_composed_from_drafts(world, stack, is_asked):
    drafts = Drafts(world.s3, LAKE, "run")
    early, late = DayRecord("2026-11-22", AT, 900), DayRecord("2026-11-22", AT, 900, arrivals=1)
    repairs = [Repair(RepairKind.REDRIVE, "x.csv", "why", "message", "x" * 32, 2)]
    assert drafts.write_inspection("before", Inspection(findings(failed()), [early], "old")) == "1 FAILED, 0 OK"
    drafts.write_plan(Plan(repairs, 4))
    if is_asked:
        drafts.write_inspection("after", Inspection(findings(), [late], "new"))
    composed, records = drafts.report("someone", dry_run=not is_asked, is_asked=is_asked)
    after = findings() if is_asked else None
    songs = "new" if is_asked else "old"
    assert composed == Report(run_name(AT), "someone", not is_asked, findings(failed()), after, repairs, 4, songs)
    assert records == [late if is_asked else early]


# ── Requests ──


def test_repairs_are_sent_to_the_arrivals_queue(world, stack):
    sent = [requests.to_message(SourceRequest(f"{n:032}", 1, Action.REDRIVE)) for n in range(23)]
    Reconciler(stack).request_repairs([Repair(RepairKind.REDRIVE, "x", "why", body) for body in sent])
    bodies: set[str] = set()
    while received := world.sqs.receive_message(
        QueueUrl=stack.output("ArrivalsQueueUrl"), MaxNumberOfMessages=10, VisibilityTimeout=60
    ).get("Messages"):
        bodies |= {message["Body"] for message in received}
    world.sqs.purge_queue(QueueUrl=stack.output("ArrivalsQueueUrl"))
    assert bodies == set(sent)


def test_a_message_that_the_queue_does_not_accept_is_an_error(stack):
    class Queue:
        def send_message_batch(self, **_: Any) -> Any:
            return {"Failed": [{"Id": "0", "Message": "too long"}]}

    with pytest.raises(QueueRefused, match="too long"):
        requests.send(Queue(), "url", ["x"])  # type: ignore[arg-type]  # The only method that is called.


# ── Waiting ──


def awaited(entry: Any, attempt: int) -> Repair:
    return Repair(RepairKind.REDRIVE, entry.source.key, "why", "message", entry.source.source_id, attempt)


@pytest.mark.parametrize("status", list(Status))
def test_a_repair_is_settled_when_its_attempt_succeeded_or_failed(world, stack, status):
    is_settled = status in {"ARCHIVED", "QUARANTINED", "FAILED", "RETRACTED"}
    entry = stored_entry(world, status, attempt=2)
    repair = awaited(entry, 2)
    assert waiting.unsettled(stack, [repair]) == ([] if is_settled else [repair])
    of_earlier, of_next = awaited(entry, 1), awaited(entry, 3)
    assert waiting.unsettled(stack, [of_earlier, of_next]) == ([of_next] if is_settled else [of_earlier, of_next])


def test_a_repair_of_a_file_without_ledger_entry_is_not_settled(stack):
    repair = Repair(RepairKind.REDRIVE, "x.csv", "why", "message", "f" * 32, 1)
    assert waiting.unsettled(stack, [repair]) == [repair]
    assert waiting.unsettled(stack, []) == []


def test_half_retracted_and_half_quarantined_files_are_not_settled(world, stack):
    entries = [half_retracted(world), quarantined_in_place(world)]
    asked = [awaited(entry, 1) for entry in entries]
    assert waiting.unsettled(stack, asked) == asked
    for entry in entries:
        deliver(world, requests.to_message(SourceRequest(entry.source.source_id, 1, Action.REDRIVE)))
    assert waiting.unsettled(stack, asked) == []


def test_a_rebuild_is_settled_when_its_run_is_over(world, stack):
    request = Rebuild([DAY], AT)
    repair = Repair(RepairKind.REBUILD, DAY, "why", requests.to_message(request), batch_id=request.batch_id)
    assert waiting.unsettled(stack, [repair]) == [repair]
    deliver(world, repair.message)
    assert waiting.unsettled(stack, [repair]) == [repair]
    world.end_execution(f"{request.batch_id}-1")
    assert waiting.unsettled(stack, [repair]) == []


def test_only_files_in_flight_are_waited_for(world, stack):
    received = stored_entry(world, Status.RECEIVED, updated_at=clock.now())
    in_flight = [alive(world, Status.RUNNING).source, received.source]
    for status in (Status.FAILED, Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED, Status.VALID):
        stored_entry(world, status)
    landed = world.land(key="incoming/just landed.csv")
    expected = {source.source_id: source.key.rsplit("/", 1)[1] for source in in_flight}
    of_landed = {landed.source_id: "just_landed.csv"}
    assert waiting.in_flight(stack, "", 300) == expected | of_landed
    assert waiting.in_flight(stack, "incoming/just", 300) == of_landed
    assert waiting.in_flight(stack, "incoming/just", ALWAYS_EXPIRED) == {}


def test_waiting_imports_nothing_that_reads_the_lake():
    program = "import sys, music_streams.reconcile.waiting; print({'pyiceberg', 'duckdb', 'pyarrow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ── Triage ──


KEPT = {"batch_id", "execution_arn", "reason", "attempt", "updated_at"}


def run_of_two(world: World) -> tuple[Run, Any, Any]:
    sources = world.upload(), world.upload()
    deliver(world, *map(message, sources))
    return Run.holding(world, sources[0]), *sources


def test_the_files_of_a_failed_execution_are_retried(world, stack):
    run, *sources = run_of_two(world)
    other = stored_entry(world, Status.FAILED)
    run.claimed().fail()
    found = Reconciler(stack, grace_seconds=0).triage(run.arn)
    assert {file.source_id for file in found.files} == {source.source_id for source in sources}
    assert other.source.source_id not in {file.source_id for file in found.files}
    asked = Reconciler(stack).plan(found, 10).repairs
    assert {(repair.what, repair.attempt) for repair in asked} == {(RepairKind.REDRIVE, 2)}


@pytest.mark.parametrize("is_claimed", [True, False], ids=["running", "not claimed yet"])
def test_a_triage_before_the_failure_is_recorded_is_an_error(world, stack, is_claimed):
    run, *_ = run_of_two(world)
    if is_claimed:
        run.claim()
    run.end()
    with pytest.raises(FailureNotRecorded, match="try again"):
        Reconciler(stack, grace_seconds=0).triage(run.arn)
    run.fail()
    assert len(Reconciler(stack, grace_seconds=0).triage(run.arn).files) == 2


def test_a_file_that_failed_too_often_is_left_to_the_next_reconciliation(world, stack):
    run, first, second = run_of_two(world)
    run.claimed().fail()
    kept = {name: value for name, value in world.item(first).items() if name in KEPT}
    world.put_entry(first, Status.FAILED, **kept, failures=3)
    found = Reconciler(stack, grace_seconds=0).triage(run.arn)
    assert [file.source_id for file in found.files] == [second.source_id]


def test_a_file_published_before_its_execution_failed_is_archived(world, stack):
    run, first, _ = run_of_two(world)
    run.claimed()
    kept = {name: value for name, value in world.item(first).items() if name in KEPT}
    world.put_entry(first, Status.PUBLISHED, **kept)
    run.fail()
    run.end()
    found = {file.source_id: file for file in Reconciler(stack, grace_seconds=ALWAYS_EXPIRED).triage(run.arn).files}
    assert found[first.source_id].why == StallReason.NOT_ARCHIVED


# ── Backfill ──


def replayed(world: World, day: str = DAY) -> list[str]:
    return [repair.source_id for repair in backfill.replays(world.ledger, day)]


def test_a_backfill_replays_the_archived_files_of_a_day_the_oldest_first(world, stack):
    entries = [stored_entry(world, Status.ARCHIVED, days=days) for days in ([DAY], ["2024-06-24", DAY], ["2024-06-24"])]
    arrived_later = replace(world.upload(), received_at="2026-11-22T00:00:00.000Z")
    later = world.put_entry(arrived_later, Status.ARCHIVED, days=[DAY], attempt=4)
    found = backfill.replays(world.ledger, DAY)
    assert {repair.source_id for repair in found} == {e.source.source_id for e in [*entries[:2], later]}
    last = found[-1]
    assert (last.what, last.source_id, last.attempt) == (RepairKind.REPLAY, later.source.source_id, 5)
    assert requests.parse(last.message) == SourceRequest(later.source.source_id, 4, Action.REPLAY)
    assert last.why == f"backfill of {DAY}"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ARCHIVED])
def test_only_archived_files_are_replayed(world, stack, status):
    stored_entry(world, status, days=[DAY])
    assert replayed(world) == []


def test_half_retracted_files_and_reference_files_are_not_replayed(world, stack):
    stored_entry(world, Status.ARCHIVED, days=[DAY], treatment=Treatment.RETRACT)
    world.put_entry(world.upload(GOOD, "reference/songs/songs.csv"), Status.ARCHIVED, days=[])
    assert (replayed(world), replayed(world, "2026-11-21")) == ([], [])


def test_a_file_without_accepted_rows_is_replayed_with_the_day_of_its_arrival(world, stack):
    entry = stored_entry(world, Status.ARCHIVED, days=[])
    assert replayed(world, "2026-11-21") == [entry.source.source_id]
    assert (replayed(world, "2026-11-22"), replayed(world)) == ([], [])


def test_a_replay_that_was_not_archived_is_reported(world, stack):
    through, quarantined, not_begun = (stored_entry(world, Status.ARCHIVED, days=[DAY]) for _ in range(3))
    asked = backfill.replays(world.ledger, DAY)
    world.put_entry(through.source, Status.ARCHIVED, attempt=2)
    world.put_entry(quarantined.source, Status.QUARANTINED, attempt=2, reason="too_many_bad_rows")
    bad = {entry.source.source_id for entry in backfill.failed(world.ledger, asked)}
    assert bad == {quarantined.source.source_id, not_begun.source.source_id}


# ── The window ──


def test_the_window_is_one_date_or_today_and_yesterday():
    assert window_of("2024-02-29", "incoming/radio/") == Window("2024-02-29", "2024-02-29", "incoming/radio/")
    before = clock.now()[:10]
    assert window_of(None).last in {before, clock.now()[:10]}
    assert len(window_of(None).dates) == 2


def test_an_inspection_of_a_prefix_has_no_figures_of_dates(world, stack):
    stored_entry(world, Status.ARCHIVED)
    window = Window("2026-11-20", "2026-11-21")
    assert [each.arrivals for each in Reconciler(stack).inspect(window).records] == [0, 1]
    assert Reconciler(stack).inspect(replace(window, prefix="incoming/")).records == []
