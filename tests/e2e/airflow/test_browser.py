"""An operator's actions in Airflow's pages, in a browser: log in, read the dashboard, reconcile, backfill three days.

The screenshots of docs/airflow.md come from here: run with SCREENSHOTS=docs/images (docs/testing.md).
"""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from music_streams_cli import sample_data
from tests.e2e.airflow.airflow_api import PATIENCE, Airflow
from tests.e2e.conftest import awaited
from tests.e2e.faults.world import CATALOGUE, World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

PAGE_PATIENCE = 60_000.0  # milliseconds until a page shows its data
# It runs as root in continuous integration, and must connect to nothing but Airflow.
_DISABLED = ("gpu", "quic", "background-networking", "component-update", "sync")
_OPTIONS = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in _DISABLED)]
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
FIRST = date(2023, 3, 6)
DAYS = [FIRST + timedelta(days=n) for n in range(3)]


@pytest.fixture(scope="module")
def puts(stack, airflow) -> list[str]:
    """Put a file for each day and an invalid one; return the source_ids of the archived files."""
    world = World.of(stack)
    files = [
        world.put(f"seen-{day}.csv", sample_data.streams(50 + n, CATALOGUE, day, 300)) for n, day in enumerate(DAYS)
    ]
    world.wait_until_ended(*files, world.put("broken.csv", b"user_id,listen_time\n"))
    return [file.source_id for file in files]


@pytest.fixture(scope="module")
def context(airflow: Airflow, tmp_path_factory) -> Iterator[Page]:
    """A page of a new browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        page = browser.new_page(viewport=DESK, base_url=airflow.url)
        page.set_default_timeout(PAGE_PATIENCE)
        expect.set_options(PAGE_PATIENCE)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def page(context: Page, airflow: Airflow) -> Page:
    context.goto("/")
    expect(context).to_have_url(re.compile("/auth/login"))
    context.fill("input[name=username]", airflow.user)
    context.fill("input[name=password]", airflow.password)
    context.get_by_role("button", name="Sign in").click()
    context.wait_for_url(f"{airflow.url}/")
    return context


def screenshot(page: Page, name: str) -> None:
    """Save a screenshot to the folder SCREENSHOTS, if it is set."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_dashboard_is_in_the_navigation_and_begins_with_pipeline_health(page, puts):
    hosts = set[str]()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto("/")
    page.get_by_role("link", name="Music streams").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    expect(frame.locator("body")).to_contain_text(re.compile(r"(OK|WORKING|ATTENTION):"))
    expect(frame.locator("body")).to_contain_text("1 file quarantined in the last 24 h")
    page.wait_for_timeout(500)  # until the charts are drawn
    screenshot(page, "dashboard")
    assert hosts - {""} == {urlsplit(page.url).netloc}, "all content comes from Airflow"


def test_a_number_links_to_its_files_and_a_file_has_a_page(page, puts):
    page.goto("/music-streams/")
    page.get_by_role("link", name="1 file quarantined in the last 24 h").click()
    expect(page.locator("body")).to_contain_text("missing_columns")
    page.goto(f"/music-streams/files/{puts[0]}")
    expect(page.locator("body")).to_contain_text(f"seen-{DAYS[0]}.csv")
    expect(page.locator("body")).to_contain_text(str(DAYS[0]))


def test_the_dashboard_can_be_read_on_a_phone(page, puts):
    page.set_viewport_size(PHONE)
    try:
        for address in ("/music-streams/", "/music-streams/files", f"/music-streams/files/{puts[0]}"):
            page.goto(address)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{address} is {width} px wide"
    finally:
        page.set_viewport_size(DESK)


def test_the_button_starts_a_reconciliation_and_its_report_is_shown(page, airflow, puts):
    page.goto("/music-streams/")
    page.get_by_role("button", name="Reconcile now").click()
    link = page.locator("a[href*='/dags/reconcile_streams/runs/']").first
    expect(link).to_be_visible()
    run_id = airflow.api("GET", "dags/reconcile_streams/dagRuns?order_by=-id&limit=1")["dag_runs"][0]["dag_run_id"]
    airflow.succeed("reconcile_streams", run_id)
    page.goto("/music-streams/")
    page.get_by_role("link", name=re.compile("ago")).first.click()
    expect(page.locator("body")).to_contain_text("no gaps")
    page.goto(f"/dags/reconcile_streams/runs/{run_id}")
    expect(page.get_by_text("wait_until_settled").first).to_be_visible()
    screenshot(page, "grid")


def test_a_backfill_of_three_days_is_started_in_the_browser(page, airflow, stack, puts):
    page.goto("/dags/backfill_streams")
    page.get_by_role("button", name="Trigger").click()
    form = page.get_by_role("dialog").first
    form.get_by_text("Backfill", exact=True).click()
    for position, day in enumerate((DAYS[0], DAYS[-1])):
        page.get_by_test_id("datetime-input").nth(position).click()
        page.get_by_placeholder("YYYY/MM/DD").last.fill(f"{day:%Y/%m/%d}")
        page.get_by_placeholder("HH:mm").last.fill("00:00")
        page.keyboard.press("Escape")
    page.locator("input[name=max_active_runs]").fill("3")
    screenshot(page, "backfill")
    page.get_by_role("button", name="Run Backfill").click()

    for run_id in awaited(lambda: airflow.backfills("backfill_streams", DAYS), PATIENCE):
        airflow.succeed("backfill_streams", run_id)
        assert " 1 files ran again" in airflow.returned("backfill_streams", run_id, "verify")
    assert {entry.attempt for entry in stack.ledger.entries(puts).values()} == {2}
    page.goto("/dags/backfill_streams")
    expect(page.get_by_text("wait_for_files").first).to_be_visible()


def test_the_dashboard_needs_a_login(context, airflow):
    anonymous = context.context.browser.new_context(base_url=airflow.url)
    try:
        for address in ("/music-streams/", "/music-streams/files", "/music-streams/static/dashboard.css"):
            response = anonymous.request.get(address, max_redirects=0)
            assert response.status == 401, address
    finally:
        anonymous.close()
