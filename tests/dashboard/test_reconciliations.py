"""The page of a reconciliation, by its name or by the DAG run that wrote it."""

from dataclasses import replace

import pytest

from music_streams.reconcile.findings import FileFinding, Findings, State
from music_streams.reconcile.plan import Repair, RepairKind
from tests.dashboard.conftest import ago
from tests.dashboard.test_first_page import WINDOW, report

RUN_ID = "manual__2026-11-22T14:18:00+00:00"


def test_a_report_shows_findings_repairs_and_findings_after_the_repairs(pipeline, browser):
    after = Findings(WINDOW, ago(2), {"OK": 10}, [], [], ago(3))
    pipeline.reports.write(report(after=after))
    page = browser.get("/reconciliations/20261122T141800000Z")
    assert page.sections == ["before", "repairs", "after"]
    assert "no gaps, 10 OK" in page.text
    assert "1 MISSING, 1 day METRIC_DRIFT, 9 OK" in page.text
    assert "2 repairs requested" in page.text
    assert "What to do about each state: docs/runbooks.md, section 3." in page.text
    assert "none requested" not in page.text + browser.get("/").text


def test_a_repair_that_quarantines_a_file_has_that_name(pipeline, browser):
    repairs = [Repair(RepairKind.PUT_ASIDE, "poison.csv", "3 attempts failed", "m", "b" * 32, 3)]
    pipeline.reports.write(report(repairs=repairs))
    assert "1 quarantine" in browser.get("/").text
    assert "put" not in browser.get("/reconciliations/20261122T141800000Z").text


@pytest.mark.parametrize("received_at", ["", "zz", "\0"])
def test_a_file_without_a_valid_arrival_is_shown(pipeline, browser, received_at):
    orphan = FileFinding("x" * 32, "archive/2026/11/22/x/a.csv", State.ORPHAN, "no source_id", received_at)
    pipeline.reports.write(report(after=Findings(WINDOW, ago(2), {"ORPHAN": 1}, [orphan], [], ago(3))))
    page = browser.get("/reconciliations/20261122T141800000Z")
    assert "ORPHAN" in page.text
    assert "arrived –" in page.text


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_without_requests_says_that_no_repair_was_requested(pipeline, browser, dry_run):
    pipeline.reports.write(report(dry_run=dry_run))
    page = browser.get("/reconciliations/20261122T141800000Z")
    assert ("dry run: no repair was requested" in page.text) is dry_run
    assert "2 repairs planned, none requested" in page.text
    assert ("dry run: none requested" in browser.get("/").text) is dry_run
    assert "none requested" in browser.get("/").text


@pytest.mark.parametrize(("run", "status"), [("20261122T141800001Z", 404), ("20269922T141800000Z", 404), ("2026", 422)])
def test_an_unknown_report_is_rejected(browser, run, status):
    browser.get(f"/reconciliations/{run}", status=status)


def test_airflows_tab_shows_the_report_of_its_run(pipeline, browser):
    pipeline.reports.write(report(by=RUN_ID))
    pipeline.reports.write(replace(report(5, by="another")))
    page = browser.get(f"/runs?dag=reconcile_streams&run={RUN_ID.replace('+', '%2B')}")
    assert "20261122T141800000Z" in page.text


def test_airflows_tab_finds_a_run_whose_id_has_no_date(pipeline, browser):
    pipeline.reports.write(report(by="nightly"))
    browser.get("/runs?dag=reconcile_streams&run=nightly")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("dag=backfill_streams&run=x", "Only runs of reconcile_streams"),
        ("dag=reconcile_streams&run=x", "has no report"),
    ],
)
def test_airflows_tab_says_why_there_is_no_report(browser, query, message):
    assert message in browser.get(f"/runs?{query}", status=404).text
