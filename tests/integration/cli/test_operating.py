"""The operators' commands, with a simulated pipeline."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from music_streams.forget.progress import FileToDelete
from music_streams.state.requests import Action
from music_streams.state.sources import Source
from music_streams_cli import output
from tests.integration.cli.conftest import MACHINE, drained, put_entry
from tests.integration.cli.pipeline import Pipeline
from tests.unit.cli.golden import check

LONG_AGO = "2026-01-01T00:00:00.000Z"
COUNTED = {"rows_read": 100, "rows_accepted": 88, "days": ["2024-06-24", "2024-06-25"]}
FILES: dict[str, dict[str, Any]] = {
    "parked.csv": {"status": "ARCHIVED", **COUNTED, "rejected": {"unknown_track": 12}},
    "plain.csv": {"status": "ARCHIVED", **COUNTED, "rejected": {"duplicate": 12}},
    "failed.csv": {"status": "FAILED", "reason": "no_reference_data"},
    "gone.csv": {"status": "FAILED", "reason": "object_gone"},
    "stuck.csv": {"status": "RUNNING", "batch_id": "b" * 32, "execution_arn": MACHINE + ":over-1"},
    "working.csv": {"status": "RUNNING", "batch_id": "b" * 32, "execution_arn": MACHINE + ":alive-1"},
    "bad rows.csv": {
        "status": "QUARANTINED",
        "reason": "too_many_bad_rows",
        "rows_read": 100,
        "rejected": {"bad_user_id": 60},
    },
    "no header.csv": {"status": "QUARANTINED", "reason": "missing_columns"},
    "retracted.csv": {"status": "RETRACTED", "treatment": "retract", "attempt": 2, "days": ["2024-06-23"]},
}


def source(name: str) -> Source:
    return Source("landing", f"incoming/{name}", f"version-of-{name}", 1_234, LONG_AGO)


@pytest.fixture(autouse=True)
def files(stack):
    """Create files in every state, and one that is not in the ledger."""
    arrange(stack)


def arrange(stack) -> None:
    clear(stack)
    for name, attributes in FILES.items():
        item, more = source(name), dict(attributes)
        if name == "failed.csv":
            version = stack.s3.put_object(Bucket="landing", Key=item.key, Body=b"x")["VersionId"]
            item = replace(item, version_id=version)
        folder = {"ARCHIVED": "archive", "QUARANTINED": "quarantine"}.get(more["status"])
        if folder:
            more["archive_key"] = item.kept_key(folder)
            stack.s3.put_object(Bucket="landing", Key=more["archive_key"], Body=b"user_id,track_id\n")
        if folder == "quarantine":
            reason = {"verdict": more["reason"], "detail": f"detail of {name}", "what_to_do": "fix it"}
            key = more["archive_key"].rsplit("/", 1)[0] + "/reason.json"
            stack.s3.put_object(Bucket="landing", Key=key, Body=json.dumps(reason))
        put_entry(stack, item, updated_at=LONG_AGO, **more)
    stack.s3.put_object(Bucket="landing", Key="incoming/lost event.csv", Body=b"x")


def clear(stack) -> None:
    for page in stack.s3.get_paginator("list_object_versions").paginate(Bucket="landing"):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            stack.s3.delete_object(Bucket="landing", Key=each["Key"], VersionId=each["VersionId"])
    table = stack.session.resource("dynamodb").Table("files")
    for item in table.scan()["Items"]:
        table.delete_item(Key={"source_id": item["source_id"]})
    drained(stack, "ArrivalsQueueUrl")


@pytest.fixture
def pipeline(stack, monkeypatch):
    return Pipeline.begin(stack, monkeypatch)


@pytest.fixture
def operate(pipeline):
    return pipeline.operate


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(output, "is_interactive", lambda: True)


def steady(text: str) -> str:
    text = re.sub(r"[0-9a-f]{32}", "SOURCE_ID", text)
    text = re.sub(r" [0-9a-f]{8}$", " ID", text, flags=re.MULTILINE)
    return re.sub(r"\d+ (s|min|h|d) ago", "N ago", text)


@pytest.mark.parametrize(
    "command",
    [
        *("redrive --idle 0 --dry-run", "replay --dry-run", "replay --day 2024-06-24 --dry-run"),
        *("retract plain.csv retracted.csv --dry-run", "rebuild --dry-run", "rebuild --from-archive --dry-run"),
        *("forget 4711 --dry-run", "quarantine list"),
    ],
)
def test_a_dry_run_shows_the_plan_and_sends_nothing(operate, pipeline, golden, command):
    ended = operate(*command.split())
    assert ended.exit_code == 0, ended.stderr
    assert pipeline.requested == []
    check(golden / f"{command}.txt", steady(ended.stdout))


@pytest.mark.parametrize(
    "command",
    ["redrive --idle 0", "replay", "retract plain.csv --yes", "rebuild --from 2024-06-24", "forget 4711 --yes"],
)
def test_the_result_equals_its_golden_file(operate, golden, command):
    ended = operate(*command.split())
    assert ended.exit_code == 0, ended.stdout + ended.stderr
    check(golden / f"{command}.txt", steady(ended.stdout))


def test_a_redrive_moves_stalled_and_failed_files_only(operate, pipeline):
    assert operate("redrive", "--idle", "0").exit_code == 0
    moved = [("event", "incoming/lost event.csv"), ("redrive", "failed.csv"), ("redrive", "stuck.csv")]
    assert sorted(pipeline.requested) == moved
    again = operate("redrive")
    assert (again.exit_code, again.stdout.splitlines()[0]) == (0, "no file is stalled or failed")
    assert sorted(pipeline.requested) == moved


def test_a_redrive_of_named_files_skips_those_that_need_none(operate, pipeline):
    ended = operate("redrive", "failed.csv", "working.csv", "lost event.csv", "plain.csv", "--idle", "0")
    assert ended.exit_code == 0, ended.stderr
    assert sorted(pipeline.requested) == [("event", "incoming/lost event.csv"), ("redrive", "failed.csv")]
    assert "skipped incoming/working.csv: it is RUNNING" in ended.stderr
    assert "skipped incoming/plain.csv: it is ARCHIVED" in ended.stderr


@pytest.mark.parametrize(
    ("args", "exit_code", "words"),
    [
        (("redrive", "lost event.csv"), 0, "skipped incoming/lost event.csv: it landed"),
        (("redrive", "gone.csv"), 1, "incoming/gone.csv: the object was deleted"),
        (("retract", "plain.csv"), 2, "next: --dry-run"),  # there is no terminal to ask on
        (("retract", "working.csv", "--yes"), 1, "in flight"),
        (("retract", "plain", "--yes"), 2, "no file or batch matches plain"),  # a part of a name does not match
        (("rebuild", "--to", "1999-01-01"), 0, "no file has listens of these days\n"),
        (("quarantine", "release", "no header.csv"), 1, "still missing_columns: the header row lacks: listen_time"),
        *((("forget", "--yes", "--", user), 2, "is not a user_id") for user in ("0", "x", "9223372036854775808", "-1")),
    ],
    ids=str,
)
def test_nothing_is_sent_and_the_reason_is_shown(operate, pipeline, args, exit_code, words):
    ended = operate(*args)
    assert ended.exit_code == exit_code
    assert words in ended.output
    assert pipeline.requested == []


def test_a_file_deleted_before_it_was_archived_is_skipped(operate, stack):
    put_entry(stack, source("no copy.csv"), status="PUBLISHED", execution_arn=MACHINE + ":over-1", updated_at=LONG_AGO)
    shown = operate("redrive", "--dry-run").stdout
    assert "skipped incoming/no copy.csv: the object was deleted" in shown
    kept = source("no copy.csv").kept_key("archive")
    stack.s3.put_object(Bucket="landing", Key=kept, Body=b"x")
    assert re.search("no copy.csv +PUBLISHED +published, but not archived", operate("redrive", "--dry-run").stdout)


def test_the_plan_says_whether_the_execution_of_a_valid_file_began(operate, stack, pipeline):
    put_entry(stack, source("valid.csv"), status="VALID", batch_id="c" * 32, updated_at=LONG_AGO)
    shown = json.loads(operate("redrive", "valid.csv", "--dry-run", "--json").stdout)
    assert shown["plan"]["files"][0]["why"] == "valid, but its execution was not started"
    pipeline.statuses[stack.executions.arn("c" * 32, 1)] = "ABORTED"
    shown = json.loads(operate("redrive", "valid.csv", "--dry-run", "--json").stdout)
    assert shown["plan"]["files"][0]["why"] == "its execution ended, but that was not recorded"


def test_a_redrive_moves_no_more_than_the_limit(operate, pipeline):
    ended = operate("redrive", "--limit", "1")
    assert ended.exit_code == 0
    assert len(pipeline.requested) == 1
    assert "limited by --limit 1: there may be more files" in ended.stderr


def test_a_file_that_fails_again_is_exit_code_1_with_a_next_step(operate, pipeline):
    pipeline.ends["failed.csv"] = {"status": "FAILED", "reason": "no_luck"}
    ended = operate("redrive", "failed.csv")
    assert ended.exit_code == 1
    assert "FAILED incoming/failed.csv: no_luck\n  next: full history: " in ended.stdout


def test_many_files_are_shown_in_groups(operate, stack):
    for n in range(30):
        put_entry(stack, source(f"many {n}.csv"), status="RECEIVED", updated_at=LONG_AGO)
    shown = operate("redrive", "--dry-run").stdout
    assert re.search(r"^ +30  received, but validate did not finish +many \d+.csv, .*, …$", shown, re.MULTILINE)


def test_a_replay_shows_how_many_rows_are_still_parked(operate, pipeline):
    pipeline.ends["parked.csv"] = {"rejected": {"unknown_track": 5}}
    assert "parked rows: 12 before, 5 now\n" in operate("replay").stdout
    assert pipeline.requested == [("replay", "parked.csv")]


def test_a_replay_of_files_that_cannot_run_again_is_exit_code_1(operate, stack, pipeline):
    stack.s3.delete_object(Bucket="landing", Key=source("plain.csv").kept_key("archive"))
    ended = operate("replay", "plain.csv", "failed.csv")
    assert ended.exit_code == 1
    assert "incoming/plain.csv: its copy was deleted" in ended.stdout
    assert "incoming/failed.csv: it is FAILED" in ended.stdout
    assert pipeline.requested == []


def test_on_a_terminal_it_asks_for_confirmation(operate, pipeline, terminal):
    declined = operate("retract", "plain.csv", typed="n\n")
    assert declined.exit_code == 1
    assert "retract 1 file? [y/N]" in declined.stderr
    assert "nothing was sent" in declined.stderr
    assert pipeline.requested == []
    assert operate("retract", "plain.csv", typed="y\n").exit_code == 0
    assert pipeline.requested == [("retract", "plain.csv")]


def test_a_second_retract_is_skipped(operate, pipeline):
    operate("retract", "plain.csv", "--yes")
    ended = operate("retract", "plain.csv", "--yes")
    assert ended.exit_code == 0
    assert "skipped incoming/plain.csv: it is RETRACTED" in ended.stdout
    assert len(pipeline.requested) == 1


def test_a_name_of_several_files_is_rejected(operate, stack):
    put_entry(stack, replace(source("plain.csv"), version_id="2"), status="ARCHIVED", updated_at=LONG_AGO)
    ended = operate("retract", "plain.csv", "--yes")
    assert ended.exit_code == 2
    assert "plain.csv matches 2 files; name one by its source_id" in ended.stderr
    assert source("plain.csv").source_id in ended.stderr


@pytest.mark.parametrize("name", ["{execution}", "{digits}", "{source_id}", "{batch_id}", "a/{execution}"])
def test_a_file_named_like_the_id_of_another_does_not_hide_it(operate, stack, pipeline, name):
    """Producers choose the names of files, and operators copy names from a list."""
    theirs = source("plain.csv")
    batch_id = "b" * 32
    put_entry(stack, theirs, status="ARCHIVED", updated_at=LONG_AGO, batch_id=batch_id)
    ids = {"execution": f"{batch_id}-1", "batch_id": batch_id, "source_id": theirs.source_id}
    named = name.format(digits=theirs.source_id[:8], **ids)
    put_entry(stack, source(named), status="ARCHIVED", updated_at=LONG_AGO, batch_id="c" * 32)
    ended = operate("retract", named, "--yes")
    assert pipeline.requested == ([] if "/" not in name else [(Action.RETRACT, f"{batch_id}-1")])
    assert ("matches 2 files; name one by its source_id" in ended.stderr) is ("/" not in name)


def test_a_rebuild_is_split_into_runs(operate, stack, pipeline):
    days = [f"2023-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    put_entry(stack, source("long.csv"), status="ARCHIVED", updated_at=LONG_AGO, days=days)
    assert operate("rebuild", "--to", "2023-12-31").exit_code == 0
    assert [len(request.days) for request in pipeline.requested] == [31, 25]
    assert [day for request in pipeline.requested for day in request.days] == days


def test_a_rebuild_that_fails_is_exit_code_1(operate, pipeline):
    pipeline.executions = "FAILED"
    ended = operate("rebuild", "--from", "2024-06-25")
    assert ended.exit_code == 1
    assert "1 run: 1 FAILED" in ended.stdout
    assert "next: aws stepfunctions get-execution-history" in ended.stdout


def test_forget_asks_for_the_user_id_on_a_terminal(operate, pipeline, terminal):
    assert operate("forget", "4711", typed="yes\n").exit_code == 1
    assert pipeline.requested == []
    assert operate("forget", "004711", typed="4711\n").exit_code == 0
    assert [request.user_id for request in pipeline.requested] == [4711]


def test_files_deleted_whole_are_shown_with_their_reason(operate, pipeline, golden):
    key = "quarantine/2024/06/25/0123/[red]bomb[/red]\x1b[2J.csv"
    bomb = FileToDelete(f"s3://landing/{key}", "it never was accepted, and holds more than 10 bytes")
    pipeline.deleted = {"0123": bomb}
    ended = operate("forget", "4711", "--yes")
    assert ended.exit_code == 0, ended.stderr
    check(golden / "forget deleted whole.txt", steady(ended.stdout))
    [deleted] = json.loads(operate("forget", "4711", "--yes", "--json", "--quiet").stdout)["result"]["deleted"]
    assert deleted["source_id"] == "0123"
    assert deleted["object"].endswith(".csv")
    assert "more than 10 bytes" in deleted["why"]


def test_a_release_counts_the_good_rows(operate, pipeline):
    ended = operate("quarantine", "release", "bad rows.csv")
    assert ended.exit_code == 0, ended.stderr
    assert "the valid rows of the file are used; MaxRejectedRatio does not apply" in ended.stderr
    assert pipeline.requested == [("release", "bad rows.csv")]


def test_a_quarantined_file_that_was_fixed_in_place_can_be_released(operate, stack, pipeline):
    key = source("no header.csv").kept_key("quarantine")
    stack.s3.put_object(Bucket="landing", Key=key, Body=b"user_id,track_id,listen_time\n")
    assert operate("quarantine", "release", "no header.csv").exit_code == 0
    assert pipeline.requested == [("release", "no header.csv")]


def test_a_timeout_names_the_file_that_validate_ignores(operate, pipeline):
    pipeline.ignored.add("bad rows.csv")
    ended = operate("quarantine", "release", "bad rows.csv", "--timeout", "0.2")
    assert ended.exit_code == 4
    assert "bad rows.csv: still QUARANTINED: its request is still queued, or validate ignored it" in ended.stderr


def test_a_reference_file_is_released_only_at_its_landing_key_and_never_retracted(operate, stack, pipeline):
    songs = Source("landing", "reference/songs/songs.csv", "1", 1, LONG_AGO)
    moved = {"archive_key": songs.kept_key("quarantine")}
    put_entry(stack, songs, status="QUARANTINED", reason="empty_file", updated_at=LONG_AGO, **moved)
    ended = operate("quarantine", "release", "songs.csv")
    assert ended.exit_code == 1
    assert "upload a fixed file: music-streams put FIXED.csv --reference songs" in ended.stdout
    put_entry(stack, songs, status="ARCHIVED", updated_at=LONG_AGO)
    assert "reference data have no listens" in operate("retract", "songs.csv", "--yes").stdout


def test_show_includes_treatment_and_attempt(run, golden):
    check(golden / "show retracted.csv.txt", steady(run("show", "retracted.csv").stdout))


def test_without_waiting_requests_are_only_sent(operate, pipeline):
    ended = operate("replay", "--no-wait", is_asleep=True)
    assert (ended.exit_code, ended.stdout) == (0, "sent: replay 1 file\n")


def test_json_contains_plan_and_result(operate):
    shown = json.loads(operate("replay", "--json", "--quiet").stdout)
    assert (shown["command"], shown["dry_run"], shown["sent"]) == ("replay", False, True)
    assert [file["key"] for file in shown["plan"]["files"]] == ["incoming/parked.csv"]
    assert [file["attempt"] for file in shown["result"]["files"]] == [2]
    planned = json.loads(operate("forget", "4711", "--dry-run", "--json").stdout)
    assert (planned["sent"], planned["result"]) == (False, None)
    assert planned["plan"]["user_id"] == 4711
