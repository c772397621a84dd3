"""The output of the reading commands, compared with golden files, and their JSON and CSV."""

import csv
import io
import json
import re
from dataclasses import dataclass

import pytest

from music_streams_cli.commands import metrics
from tests.integration.cli.conftest import source
from tests.unit.cli.golden import check


def steady(text: str) -> str:
    """Return the text without the parts that change from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "VERSION", text)
    if "failed.csv" in text:
        text = re.sub(r"[0-9a-f]{32}", "SOURCE_ID", text)
    text = re.sub(r"music-streams show [0-9a-f]{8} ", "music-streams show ID ", text)
    return re.sub(r"\d+ (s|min|h|d) ago", "N ago", re.sub(r"\d+ quarantined in 24 h", "N quarantined", text))


@pytest.mark.parametrize(
    "command",
    [
        *("show good.csv", "show refused.csv", "show failed.csv"),
        *("metrics day 2024-06-25", "metrics genre jazz", "metrics country Türkiye", "metrics genres"),
        *("metrics range --from 2024-06-20 --to 2024-06-30", "metrics songs"),
        *("metrics genre jazz --csv", "metrics day --json"),
    ],
)
def test_a_command_shows_its_golden_file(run, golden, command):
    ended = run(*command.split())
    assert ended.exit_code == 0, ended.stderr
    check(golden / f"{command}.txt", steady(ended.stdout))


def test_status_shows_the_pipeline_and_its_health_first(run, golden):
    text = run("status").stdout
    where, health = text.splitlines()[:2]
    assert where == "stack streams-test in eu-west-1"
    assert health.startswith("ATTENTION: 1 file failed (most recent: failed.csv), no file waits, no dead letters")
    check(golden / "status.txt", steady(text.split("\n\n", 1)[1]))


@pytest.fixture
def land(stack):
    """Put a file without an event, and delete it after the test."""
    landed = []

    def put(name: str) -> None:
        version = stack.s3.put_object(Bucket="landing", Key=f"incoming/{name}", Body=b"x")["VersionId"]
        landed.append({"Key": f"incoming/{name}", "VersionId": version})

    yield put
    for each in landed:
        stack.s3.delete_object(Bucket="landing", **each)


def test_a_long_name_does_not_widen_the_table_and_is_complete_in_json(run, land):
    name = "n" * 1_010 + ".csv"
    land(name)
    table = run("status", "--quiet").stdout.split("\n\n", 1)[1]
    assert max(map(len, table.splitlines())) < 150
    assert name in run("status", "--status", "landed", "--json").stdout


def test_status_filters_by_status_day_time_and_limit(run):
    def listed(*options):
        return [line["name"] for line in json.loads(run("status", "--json", *options).stdout)["files"]]

    assert listed("--status", "failed") == ["failed.csv"]
    assert listed("--status", "FAILED", "--status", "ARCHIVED") == ["good.csv", "failed.csv"]
    assert listed("--day", "2024-06-24") == ["good.csv"]
    assert listed("--since", "2026-11-21T21:04:00Z") == ["good.csv", "failed.csv"]
    assert len(listed("--limit", "1")) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--status", "RUNNING", "--status", "VALID"], "no file is RUNNING or VALID"),
        (["--status", "FAILED", "--day", "2020-01-01"], "no matching file"),
    ],
)
def test_status_says_which_files_it_has_not_found(run, options, text):
    assert run("status", *options).stdout.splitlines()[3] == text


def test_show_begins_with_the_pipeline(run):
    assert run("show", "good.csv").stdout.startswith("stack streams-test in eu-west-1\nincoming/good.csv")


def test_a_dead_letter_is_part_of_the_health(run, stack):
    url = stack.outputs["ArrivalsDeadLetterQueueUrl"]
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert "1 dead letter" in run("status").stdout.splitlines()[1]
    sqs.purge_queue(QueueUrl=url)


def test_a_file_without_an_event_is_landed(run, land):
    land("new.csv")
    assert "1 file has waited" in run("status").stdout.splitlines()[1]
    listed = json.loads(run("status", "--status", "landed", "--json").stdout)["files"]
    assert [line["name"] for line in listed] == ["new.csv"]
    assert "is not processed yet" in run("show", "new.csv").stderr


def test_show_finds_a_file_by_name_key_uri_and_id(run):
    good = source("good.csv")
    for name in ("good.csv", good.key, f"s3://landing/{good.key}", good.source_id, good.source_id[:6]):
        assert json.loads(run("show", name, "--json").stdout)["file"]["source_id"] == good.source_id, name


def test_show_finds_a_batch_whose_folder_has_expired(run):
    batch_id = json.loads(run("show", "good.csv", "--json").stdout)["file"]["batch_id"]
    assert json.loads(run("show", f"{batch_id}-1", "--json").stdout)["file"]["key"] == "incoming/good.csv"


def test_csv_has_the_numbers_and_json_has_all_attributes(run):
    rows = list(csv.DictReader(io.StringIO(run("metrics", "day", "2024-06-25", "--csv").stdout)))
    assert [row["listen_count"] for row in rows] == ["590", "590", "590"]
    [genre] = json.loads(run("metrics", "genres", "--day", "2024-06-25", "--json").stdout)
    assert genre["top_songs"][0]["track_name"] == "Señal\nde [radio]"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_csv_is_escaped_on_a_terminal_only(monkeypatch, is_terminal):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    @dataclass
    class Row:
        country: str

    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    metrics._write([Row("\x1b]0;P\x07\u009b")], metrics.Form.CSV)
    assert screen.getvalue().replace("\n", "").isprintable() is is_terminal


@pytest.mark.parametrize(
    ("command", "exit_code", "words"),
    [
        ("show nothing.csv", 2, "no file or batch matches nothing.csv"),
        ("metrics genre polka", 1, "there are no metrics of genre polka"),
        ("metrics day 1999-01-01", 1, "there are no metrics of day 1999-01-01"),
        ("metrics genre jazz --from 2024-06-30 --to 2024-06-01", 2, "is after"),
        ("metrics genre jazz --csv --json", 2, "exclude each other"),
        ("metrics range --from 2020-01-01 --to 2024-01-01", 2, "more than 400 days"),
        ("metrics songs --genre jazz --country Brazil", 2, "exclude each other"),
        ("status --since 99999999999999d", 2, "neither a time span nor a timestamp"),
        ("status --since yesterday", 2, "neither a time span nor a timestamp"),
        ("status --status LOST", 2, "LOST"),
        ("status --stack-name other", 3, "there is no stack other at AWS"),
    ],
)
def test_errors_go_to_stderr_and_leave_stdout_empty(run, command, exit_code, words):
    ended = run(*command.split())
    assert ended.exit_code == exit_code
    assert words in ended.stderr
    assert ended.stdout == ""
