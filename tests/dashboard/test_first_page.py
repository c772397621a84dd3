"""The first page: its content and order, and that its numbers equal those of ledger and records."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from music_streams.errors import NoPipeline
from music_streams.reconcile.findings import DayFinding, DayState, FileFinding, Findings, State, Window
from music_streams.reconcile.plan import Repair, RepairKind
from music_streams.reconcile.records import STAGES, DayRecord, Percentiles, record
from music_streams.reconcile.reports import Report, run_name
from music_streams.state.statuses import Status
from tests.dashboard.conftest import NOW, TODAY, ago

YESTERDAY = "2026-11-21"
WINDOW = Window("2026-11-20", TODAY)
RECORD = DayRecord(
    day=YESTERDAY,
    made_at=ago(60),
    target_seconds=900.0,
    arrivals=40,
    arrivals_by_hour=[1] * 16 + [3] * 8,
    published_by_hour=[0] * 12 + [3] * 12,
    statuses={"ARCHIVED": 36, "QUARANTINED": 3, "FAILED": 1},
    reasons={"missing_columns": 3},
    rows_read=10_000,
    rows_accepted=9_900,
    rejected={"duplicate": 60, "bad_user_id": 40},
    due=37,
    met=30,
    to_published=Percentiles(80.5, 890.0, 1_200.0),
    stages={STAGES[0]: Percentiles(3, 4, 5), "published": Percentiles(70, 800, 900)},
)
GAP = FileFinding("a" * 32, "incoming/lost.csv", State.MISSING, "the ledger does not know it", ago(500), message="m")
DRIFT = DayFinding("2024-06-25", DayState.METRIC_DRIFT, "items differ", ["GENRE#jazz: 4, the lake says 5"], 1, 7)


def report(minutes_ago: float = 12, by: str = "manual__2026-11-22T14:18:00+00:00", **more) -> Report:
    findings = Findings(WINDOW, ago(minutes_ago), {"OK": 9, "MISSING": 1}, [GAP], [DRIFT], ago(20))
    redrive = Repair(RepairKind.REDRIVE, "lost.csv", "it landed", "m", "a" * 32, 1)
    repairs = [redrive, Repair(RepairKind.REBUILD, "2024-06-25", "", "m")]
    return replace(Report(run_name(ago(minutes_ago)), by, False, findings, None, repairs), **more)


@pytest.fixture
def busy(pipeline):
    """A pipeline with files of today and of yesterday, and a reconciliation."""
    moves = {"validated_at": 99, "started_at": 98, "published_at": 95, "first_published_at": 95, "archived_at": 90}
    timestamps = {name: ago(minutes) for name, minutes in {**moves, "updated_at": 90}.items()}
    rows = {"rows_read": 100, "rows_accepted": 98, "rejected": {"duplicate": 2}}
    for number in range(5):
        pipeline.put(f"incoming/done-{number}.csv", "ARCHIVED", ago(100 + number), **timestamps, **rows)
    pipeline.put("incoming/failed.csv", "FAILED", ago(60), reason="TIMED_OUT: no end in 1,200 s", failures=2)
    pipeline.put("incoming/bad.csv", "QUARANTINED", ago(50), reason="missing_columns")
    pipeline.put("incoming/slow.csv", "RUNNING", ago(40), started_at=ago(39))
    pipeline.put("reference/songs/songs.csv", "ARCHIVED", ago(200), published_at=ago(199))
    pipeline.reports.write(report(by="command line"), [RECORD])
    return pipeline


def test_sections_are_ordered_by_urgency(busy, browser):
    order = ["health", "freshness", "volume", "latency-sla", "states", "stages", "gaps", "redrives"]
    assert browser.get("/").sections == order


def test_the_health_sentence_is_that_of_the_command_line(busy, browser):
    failed, waiting = "1 file failed (most recent: failed.csv)", "1 file has waited 40 min"
    sentence = f"ATTENTION: {failed}, metrics of 1 day differ from the lake, {waiting}"
    assert sentence in " ".join(browser.get("/").text.split())


def test_each_number_of_files_in_the_health_sentence_links_to_those_files(pipeline, browser):
    for status, count in {"FAILED": 2, "RUNNING": 3, "PUBLISHED": 4, "QUARANTINED": 5}.items():
        for number in range(count):
            pipeline.put(f"incoming/{status}-{number}.csv", status, ago(number))
    [sentence] = re.findall(r"<strong>ATTENTION:</strong>.*?</p>", browser.get("/").html, re.DOTALL)
    links = {text: address for address, text in re.findall(r'href="/music-streams(.*?)">(.*?)</a>', sentence)}
    texts = ["2 files failed", "3 files are waiting", "4 files to archive", "5 files quarantined in the last 24 h"]
    assert list(links) == texts
    assert [len(browser.get(html.unescape(address)).lines) for address in links.values()] == [2, 3, 4, 5]


def test_the_wait_of_a_new_attempt_begins_with_the_attempt(pipeline, browser):
    pipeline.put("incoming/again.csv", "RUNNING", ago(9_000), attempt=2, validated_at=ago(3))
    assert "WORKING: 1 file has waited 3 min (again.csv)" in " ".join(browser.get("/").text.split())


def test_the_oldest_waiting_file_is_compared_with_the_latency_sla(busy, browser):
    meter = browser.get("/").all("meter")[0]
    assert (float(meter["value"]), float(meter["max"])) == (2_400, 900)


def test_earlier_days_show_their_records(busy, browser):
    charts = browser.get("/").charts
    day = charts["arrivals"]["labels"].index(YESTERDAY)
    shown = {
        name: {series["name"]: series["values"][day] for series in charts[name]["series"]}
        for name in ("arrivals", "rows", "rejects", "attainment", "latency", "stage-days")
    }
    assert shown["arrivals"] == {"arrived": 40, "of which published": 36}
    assert shown["rows"] == {"accepted": 9_900, "duplicate": 60, "bad_user_id": 40}
    assert shown["rejects"] == {"duplicate": 60, "bad_user_id": 40}
    assert shown["attainment"] == {"within SLA": 81.08}
    assert shown["latency"] == {"p50": 80.5, "p95": 890.0, "p99": 1_200.0, "latency SLA (15 min)": 900.0}
    assert shown["stage-days"] == {"validated": 4, "started": None, "published": 800, "archived": None}


def test_todays_numbers_are_current(busy, browser):
    # The last reconciliation's record of today is older than the ledger.
    busy.reports.write(report(), [replace(RECORD, day=TODAY, arrivals=1)])
    charts = browser.get("/").charts
    entries = [entry for status in Status for entry in busy.stack.ledger.with_status(status)]
    expected = record(TODAY, entries, 900.0, ago(0))
    by_hour = {series["name"]: series["values"] for series in charts["today"]["series"]}
    assert charts["arrivals"]["labels"][-1] == TODAY
    assert charts["arrivals"]["series"][0]["values"][-1] == expected.arrivals == 8
    assert by_hour == {"arrived": expected.arrivals_by_hour[:15], "published": expected.published_by_hour[:15]}
    assert charts["rows"]["series"][0]["values"][-1] == 490
    assert charts["attainment"]["series"][0]["values"][-1] == round(100 * 5 / 7, 2)


def test_every_chart_has_a_summary_and_a_table(busy, browser):
    page = browser.get("/")
    assert len(page.all("figure")) == len(page.charts) == len(page.all("details")) == 8
    drawn = zip(page.charts.values(), page.all("canvas"), strict=True)
    assert all(chart["summary"] in canvas["aria-label"] for chart, canvas in drawn)
    assert "9,900" in page.text
    assert page.text.count("81.1") == 2, "in the chart's table, and in that of the days"


def test_a_day_on_which_no_file_was_in_time_is_drawn(pipeline, browser):
    pipeline.put("incoming/slow.csv", "RUNNING", ago(40))
    assert browser.get("/").charts["attainment"]["series"][0]["values"][-1] == 0


def test_failed_files_come_first_with_their_error(busy, browser):
    text = browser.get("/").text
    states = text[text.index("Files by status") :]
    assert states.index("TIMED_OUT: no end in 1,200 s") < states.index("QUARANTINED") < states.index("ARCHIVED")


def test_gaps_are_those_of_the_last_reconciliation(busy, browser):
    page = browser.get("/")
    assert "1 MISSING, 1 day METRIC_DRIFT, 9 OK" in page.text
    assert "the ledger does not know it" in page.text
    assert "docs/runbooks.md, section 3" in page.text
    assert "GENRE#jazz: 4, the lake says 5" in page.text


def test_repairs_are_counted_by_kind_and_link_to_their_dag_run(busy, browser):
    busy.reports.write(report(5))
    page = browser.get("/")
    assert page.text.count("1 rebuild, 1 redrive") == 2
    runs = [link for link in page.links if link.startswith("/dags/reconcile_streams/runs/")]
    assert runs == ["/dags/reconcile_streams/runs/manual__2026-11-22T14%3A18%3A00%2B00%3A00"]


def test_every_link_has_a_target_and_pages_only_read(busy, browser):
    seen, queue = set(), ["/music-streams/"]
    while queue:
        address = queue.pop()
        if address in seen or not address.startswith("/music-streams/"):
            continue
        seen.add(address)
        missing = address.endswith(f"/files/{GAP.source_id}")  # its object was deleted meanwhile
        queue += browser.get(address, status=404 if missing else 200).links
    assert len(seen) > 25
    assert busy.operations
    reads = ("Get", "List", "Head", "Describe", "Query", "BatchGet")
    assert [name for name in busy.operations if not name.startswith(reads)] == []


def test_every_number_of_files_links_to_a_list_of_that_many_files(busy, browser):
    page = browser.get("/")
    numbers = {
        "/files?status=FAILED": 1,
        "/files?status=QUARANTINED": 1,
        "/files?status=RUNNING": 1,
        f"/files?day={TODAY}": 8,
        "/files?state=MISSING": 1,
    }
    for address, count in numbers.items():
        assert f"/music-streams{address}" in page.links
        assert len(set(browser.get(address).lines)) == count, address


def test_buttons_only_start_dag_runs(busy, browser):
    buttons = [(button["data-trigger"], button["data-conf"]) for button in browser.get("/").all("button")]
    assert buttons == [("reconcile_streams", "{}"), ("reconcile_streams", '{"dry_run": true}')]


def test_a_pipeline_without_files_shows_next_steps(pipeline, browser):
    page = browser.get("/")
    assert "No files yet" in page.text
    assert "music-streams put" in page.text
    assert page.text.count("No data yet.") == 6
    assert page.charts == {}


def test_a_missing_pipeline_shows_its_error_and_next_steps(browse):
    def none():
        steps = ["music-streams up     start it"]
        raise NoPipeline("no running pipeline was found", details=["looked at .local"], next_steps=steps)

    page = browse(find_stack=none).get("/", status=503)
    assert "no running pipeline was found" in page.text
    assert "looked at .local" in page.text
    assert "music-streams up" in page.text


def test_a_pipeline_that_does_not_answer_shows_an_error(browse):
    def none():
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert "access denied or no answer" in browse(find_stack=none).get("/", status=503).text


def test_a_pipeline_that_is_gone_is_found_again_at_the_next_request(browse, pipeline):
    gone = replace(pipeline.stack, outputs={**pipeline.stack.outputs, "FilesTableName": "gone"})
    stacks = iter([gone, pipeline.stack])
    browser = browse(find_stack=lambda: next(stacks))
    browser.get("/", status=503)
    browser.get("/")


def test_lists_on_the_page_are_bounded(pipeline, browser):
    gaps = [replace(GAP, source_id=f"{number:032x}") for number in range(500)]
    findings = Findings(WINDOW, ago(5), {"OK": 0, "MISSING": 500}, gaps, [DRIFT] * 300, "")
    for number in range(30):
        pipeline.put(f"incoming/failed-{number}.csv", "FAILED", ago(number), reason=f"error {number}")
        pipeline.reports.write(replace(report(60 + number), before=findings))
    page = browser.get("/")
    assert len(page.lines) == 10 + 20
    assert page.text.count("METRIC_DRIFT") < 60
    assert len({link for link in page.links if "/reconciliations/" in link}) == 12


def test_days_of_the_chart_end_today(pipeline, browser):
    pipeline.put("incoming/a.csv", "RUNNING", ago(1))
    labels = browser.get("/").charts["arrivals"]["labels"]
    assert labels == [(NOW - timedelta(days=13 - n)).date().isoformat() for n in range(14)]


def test_today_shows_the_cost_of_its_files_runs(pipeline, browser):
    assert "at AWS’s public prices" not in browser.get("/").text
    for n in range(2):
        pipeline.put(f"incoming/{n}.csv", "ARCHIVED", ago(30), cost_micro_usd=15_000, total_cost_micro_usd=30_000)
    assert "$0.0600 for their runs" in browser.get("/").text
