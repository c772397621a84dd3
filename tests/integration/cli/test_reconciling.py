"""`music-streams reconcile`, with a simulated pipeline and lake."""

import json
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from music_streams import clock
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.reports import Reports
from music_streams.reference.parsed import ParsedFiles
from music_streams.run.executions import Executions
from music_streams.state import requests
from music_streams.state.requests import Rebuild, SourceRequest
from music_streams.state.sources import Source
from music_streams_cli import output
from tests.integration.cli.conftest import MACHINE, drained, put_entry
from tests.integration.cli.pipeline import Pipeline
from tests.integration.cli.test_operating import clear
from tests.integration.reconcile.contract import Row, listen
from tests.integration.reconcile.parked_rows import ACCEPTED, songs_csv
from tests.integration.reconcile.stage import MemoryLake
from tests.unit.cli.golden import check

ARRIVED = "2026-01-01T12:00:00.000Z"
DATES = ("--from", "2026-01-01", "--to", "2026-01-01")
DAY = "2024-06-25"  # the stack has metrics of it that the lake lacks
COUNTED = {"rows_read": 10, "rows_accepted": 10, "published_at": "2026-01-01T12:05:00.000Z"}
POISON = {"failing_since": "2026-01-01T12:01:00.000Z", "validated_at": "2026-01-01T12:30:00.000Z", "failures": 3}
FILES: dict[str, dict[str, Any]] = {
    "good.csv": {"status": "ARCHIVED", **COUNTED, "days": [DAY]},
    "no rows left.csv": {"status": "ARCHIVED", **COUNTED, "days": ["2024-01-01"]},
    "no copy.csv": {"status": "ARCHIVED"},
    "failed.csv": {"status": "FAILED", "reason": "States.TaskFailed: the job ran out of memory", "failures": 1},
    "poison.csv": {"status": "FAILED", "reason": "no_luck", **POISON, "attempt": 3},
    "songs.csv": {"status": "FAILED", "reason": "no_luck", **POISON, "attempt": 3},
    "stuck.csv": {"status": "RUNNING", "batch_id": "b" * 32, "execution_arn": MACHINE + ":over-1"},
    "late.csv": {"status": "RUNNING", "batch_id": "b" * 32, "execution_arn": MACHINE + ":alive-1"},
    "refused.csv": {"status": "QUARANTINED", "reason": "missing_columns"},
    "retracted.csv": {"status": "RETRACTED", "treatment": "retract", "attempt": 2},
}


def source(name: str) -> Source:
    folder = "reference/songs" if name == "songs.csv" else "incoming"
    return Source("landing", f"{folder}/{name}", f"version-of-{name}", 1_234, ARRIVED)


def create(stack: Any, name: str, attributes: dict[str, Any]) -> Source:
    """Create a file in the ledger, and its object at its location."""
    item, more = source(name), {"updated_at": ARRIVED, **attributes}
    if more["status"] == "FAILED":
        version = stack.s3.put_object(Bucket="landing", Key=item.key, Body=b"x")["VersionId"]
        item = replace(item, version_id=version)
    if folder := {"ARCHIVED": "archive", "QUARANTINED": "quarantine"}.get(more["status"]):
        more["archive_key"] = item.kept_key(folder)
        if name != "no copy.csv":
            stack.s3.put_object(Bucket="landing", Key=more["archive_key"], Body=b"x")
    put_entry(stack, item, **more)
    return item


@pytest.fixture
def lake(stack, monkeypatch) -> MemoryLake:
    made = MemoryLake([], uuid="lake")
    monkeypatch.setattr(LakeReader, "of", lambda _: made)
    return made


@pytest.fixture(autouse=True)
def pipeline(stack, monkeypatch) -> Pipeline:
    """Start without files and metrics."""
    clear(stack)
    for item in stack.metrics.scan()["Items"]:
        stack.metrics.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    monkeypatch.setattr(Executions, "running", lambda _: [])
    return Pipeline.begin(stack, monkeypatch)


@pytest.fixture
def files(stack, pipeline) -> None:
    """Create files in every state, and metrics of a day that differ from the lake."""
    for name, attributes in FILES.items():
        create(stack, name, attributes)
    stack.s3.put_object(Bucket="landing", Key=f"archive/2026/01/01/{'f' * 32}/nobody knows.csv", Body=b"x")
    stack.s3.put_object(Bucket="landing", Key="archive/2026/01/01/[red]/[bold]x\n.csv", Body=b"x")
    stack.metrics.put_item(Item={"pk": "GENRE#polka", "sk": f"DAY#{DAY}", "day": DAY, "listen_count": 1, "version": 7})
    fence = {"source_id": f"FENCE#{DAY}", "version": 7, "lake_uuid": "lake", "keys": {"GENRE#polka"}}
    stack.session.resource("dynamodb").Table("files").put_item(Item=fence)


def rows_of(name: str) -> list[Row]:
    return [listen(f"{DAY} 10:00:00", source_id=source(name).source_id, genres=[f"genre {n}" for n in range(12)])]


@pytest.fixture
def reconcile(pipeline, lake):
    """Run the command while the pipeline works."""
    return partial(pipeline.operate, "reconcile")


def steady(text: str) -> str:
    text = re.sub(r"\d\d:\d\d:\d\d UTC", "HH:MM:SS UTC", text)
    text = re.sub(r"[0-9a-f]{32}", "SOURCE_ID", text)
    text = re.sub(r" [0-9a-f]{8}$", " ID", text, flags=re.MULTILINE)
    text = re.sub(r"\d{8}T\d{9}Z", "RUN", re.sub(r"reconcile/\d{4}-\d\d-\d\d", "reconcile/DATE", text))
    return re.sub(r"20(?!24|26-01-01)\d\d-\d\d-\d\dT[0-9:.]+Z", "NOW", text)


def report(stack: Any) -> Any:
    return Reports(stack.s3, "lake").latest()


# ── Findings ──


def test_a_dry_run_shows_gaps_drift_and_repairs_and_sends_nothing(reconcile, pipeline, files, lake, golden):
    lake.listed = rows_of("good.csv")
    ended = reconcile("--dry-run", *DATES)
    assert ended.exit_code == 1
    assert pipeline.requested == []
    check(golden / "reconcile --dry-run.txt", steady(ended.stdout))
    ended = reconcile("--dry-run", "--json", *DATES)
    shown = json.loads(ended.stdout)
    assert (shown["command"], shown["dry_run"], shown["sent"], shown["result"]) == ("reconcile", True, False, None)
    check(golden / "reconcile --json.txt", steady(ended.stdout))


def test_without_gaps_only_the_summary_is_shown(reconcile, stack, lake, golden):
    create(stack, "refused.csv", FILES["refused.csv"])
    ended = reconcile(*DATES)
    assert (ended.exit_code, ended.stderr) == (0, "inspecting …\n")
    check(golden / "reconcile nothing to do.txt", steady(ended.stdout))


def test_a_lost_lake_is_reported_with_the_next_step(reconcile, files, lake, golden):
    lake.has_table = False
    ended = reconcile("--dry-run", *DATES, "--prefix", "incoming/g")
    assert ended.exit_code == 1
    check(golden / "reconcile lake lost.txt", steady(ended.stdout))


def test_many_gaps_are_counted_and_the_first_are_shown(reconcile, stack, golden):
    for n in range(30):
        create(stack, f"many {n:02}.csv", {"status": "RECEIVED"})
    shown = {most: reconcile("--dry-run", *DATES, "--max", most).stdout for most in ("25", "29", "0")}
    assert shown["25"].count("validate did not finish") == 40
    assert "and 10 more: --json lists them" in shown["25"]
    assert "\nand 5 more\n" in shown["25"]
    assert "5 repairs over the limit (--max): left to the next reconciliation" in shown["25"]
    assert "1 repair over the limit" in shown["29"]
    assert "30 repairs over the limit" in shown["0"]


def test_a_long_name_leaves_room_for_other_columns(reconcile, stack, monkeypatch):
    create(stack, "a name that is long " * 5 + ".csv", {"status": "RECEIVED"})
    monkeypatch.setattr(output, "_ENDLESS", 80)
    assert "STUCK  received, but validate" in reconcile("--dry-run", *DATES).stdout


def test_only_files_with_the_prefix_are_inspected(reconcile, files):
    shown = json.loads(reconcile("--dry-run", "--json", *DATES, "--prefix", "incoming/st").stdout)
    assert [file["key"] for file in shown["plan"]["findings"]["files"]] == ["incoming/stuck.csv"]


def test_without_dates_it_inspects_today_yesterday_and_unfinished_files(reconcile, files):
    shown = json.loads(reconcile("--dry-run", "--json").stdout)["plan"]["findings"]
    names = {file["name" if "name" in file else "key"].rsplit("/", 1)[-1] for file in shown["files"]}
    assert names == {"failed.csv", "late.csv", "poison.csv", "songs.csv", "stuck.csv"}
    assert shown["window"]["last"] == clock.now()[:10]


def test_files_that_changed_within_the_grace_time_are_in_flight(reconcile, stack):
    create(stack, "stuck.csv", {**FILES["stuck.csv"], "updated_at": clock.seconds_before(clock.now(), 60)})
    sentences = [reconcile("--dry-run", *DATES, "--grace", grace).stdout.splitlines()[0] for grace in ("300", "10")]
    assert ["STUCK" in sentence or "1 repair" in sentence for sentence in sentences] == [False, True]


# ── Repairs ──


def test_the_result_shows_what_is_left_after_the_repairs(reconcile, pipeline, stack, golden):
    pipeline.ends["failed.csv"] = {"days": [], "rows_accepted": 0}
    item = create(stack, "failed.csv", FILES["failed.csv"])
    stack.s3.put_object(Bucket="landing", Key=item.kept_key("archive"), Body=b"x")
    ended = reconcile(*DATES)
    assert ended.exit_code == 0, ended.stdout + ended.stderr
    assert pipeline.requested == [("redrive", "failed.csv")]
    check(golden / "reconcile.txt", steady(ended.stdout))
    stored = report(stack)
    assert (stored.by, stored.dry_run) == ("command line", False)
    assert (stored.before.sentence, stored.after.sentence) == ("1 FAILED, 0 OK", "no gaps, 1 OK")


@pytest.fixture
def parked(stack, lake) -> None:
    """Create a file with two parked rows, and songs with the track of one of them."""
    item = create(stack, "parked.csv", {"status": "ARCHIVED", "rejected": {"unknown_track": 2}})
    row = {"source_id": item.source_id, "reason": "unknown_track", "received_at": ARRIVED}
    lake.rejected = [{**row, "raw": f"7,{track * 22},2024-06-25"} for track in "AB"]
    key, content = "reference/songs/a.csv", songs_csv("A" * 22)
    version = stack.s3.put_object(Bucket="landing", Key=key, Body=content)["VersionId"]
    songs = Source("landing", key, version, len(content), "2025-12-01T12:00:00.000Z")
    put_entry(stack, songs, status="ARCHIVED", updated_at=songs.received_at, **ACCEPTED)
    ParsedFiles(stack.s3, "lake").read(songs)


def test_a_dry_run_shows_parked_files_and_replays_none(reconcile, pipeline, parked, golden):
    ended = reconcile("--dry-run", *DATES)
    assert (ended.exit_code, pipeline.requested) == (1, [])
    check(golden / "reconcile parked dry run.txt", steady(ended.stdout))


def test_a_parked_file_is_replayed(reconcile, pipeline, stack, parked):
    pipeline.ends["parked.csv"] = {"days": [], "rows_accepted": 0}
    ended = reconcile(*DATES)
    assert ended.exit_code == 0, ended.stdout + ended.stderr
    assert pipeline.requested == [("replay", "parked.csv")]
    stored = report(stack)
    assert (stored.before.sentence, stored.after.sentence) == ("1 PARKED, 0 OK", "no gaps, 1 OK")
    assert stored.songs_digest


def test_a_gap_that_is_left_is_exit_code_1(reconcile, pipeline, stack):
    pipeline.ends["failed.csv"] = {"status": "FAILED", "reason": "no_luck"}
    create(stack, "failed.csv", FILES["failed.csv"])
    ended = reconcile(*DATES)
    assert ended.exit_code == 1
    assert "1 FAILED, 0 OK" in ended.stdout
    assert not report(stack).is_whole


def test_each_gap_has_its_repair(reconcile, files, lake, stack):
    lake.listed = rows_of("good.csv")
    ended = reconcile(*DATES, "--no-wait", is_asleep=True)
    sent = [requests.parse(body) for body in drained(stack, "ArrivalsQueueUrl")]
    assert ended.stdout == f"sent: reconcile {len(sent)} repairs\n"
    assert [request.days for request in sent if isinstance(request, Rebuild)] == [[DAY]]
    attempts = [request for request in sent if isinstance(request, SourceRequest)]
    assert {stack.ledger.entry(attempt.source_id).source.name: attempt.action.value for attempt in attempts} == {
        "poison.csv": "put_aside",
        "failed.csv": "redrive",
        "songs.csv": "redrive",
        "stuck.csv": "redrive",
        "no rows left.csv": "replay",
    }


def test_a_timeout_names_the_repairs_that_have_not_ended(reconcile, stack):
    create(stack, "stuck.csv", FILES["stuck.csv"])
    ended = reconcile(*DATES, "--timeout", "0.05", is_asleep=True)
    assert ended.exit_code == 4
    assert "timeout: 1 repair not finished after" in ended.stderr
    assert "stuck.csv" in ended.stderr
    assert "next: music-streams reconcile --dry-run" in ended.stderr


# ── Wrong usage ──


@pytest.mark.parametrize(
    ("command", "words"),
    [
        *((option, "--from and --to must be given together") for option in ("--from 2024-06-01", "--to 2024-06-01")),
        ("--from 2024-06-02 --to 2024-06-01", "--from 2024-06-02 is after --to 2024-06-01"),
        ("--from yesterday --to 2024-06-01", "yesterday"),
        ("--max -1", "--max"),
        ("--grace -1", "--grace"),
        ("--from 2024-06-01 --stack-name other", "--from and --to must be given together"),
    ],
)
def test_wrong_usage_is_reported_before_the_inspection(reconcile, command, words):
    ended = reconcile(*command.split(), is_asleep=True)
    assert ended.exit_code == 2
    assert words in ended.stderr
    assert "inspecting" not in ended.stderr
    assert ended.stdout == ""
