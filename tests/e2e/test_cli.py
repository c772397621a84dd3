"""The command line as scripts use it: as processes, with pipes, on a running pipeline."""

import csv
import io
import json
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from music_streams.operate.health import Level
from music_streams_cli import sample_data
from tests.e2e.conftest import awaited, music_streams

pytestmark = pytest.mark.slow

DAY = date(2024, 10, 5)
ROWS = 300


@pytest.fixture(scope="module")
def cli(cloud):
    """Run a command; its output contains no control codes and no traceback."""

    def run(*args: str | Path, cloud: Path = cloud) -> subprocess.CompletedProcess[str]:
        ended = music_streams(cloud, *args)
        assert "\x1b" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return run


@pytest.fixture(scope="module")
def data(cli, tmp_path_factory) -> Path:
    """Sample files."""
    folder = tmp_path_factory.mktemp("data")
    shares = ("--dirty", "0.04", "--duplicates", "0.02")
    sizes = ("--rows", str(ROWS), "--files", "2", "--songs", "60", "--users", "80")
    made = cli("sample", folder, *sizes, *shares, "--day", str(DAY), "--seed", "23")
    assert made.returncode == 0
    (folder / "broken.csv").write_bytes(sample_data.broken(DAY)["missing_columns"])
    return folder


@pytest.fixture(scope="module")
def put(cli, data) -> subprocess.CompletedProcess[str]:
    """Put reference data, streams and a broken file."""
    for kind in ("songs", "users"):
        assert cli("put", data / f"{kind}.csv", "--reference", kind, "--no-wait").returncode == 0
    return cli("put", *sorted(data.glob("streams_*.csv")), data / "broken.csv", "--key", "cli/")


@pytest.fixture(scope="module")
def history(cli, put):
    """Return the history of a file after its execution has ended: `put` does not wait for the archive."""

    def ended():
        shown = json.loads(cli("show", f"cli/streams_{DAY}_1.csv", "--json").stdout)
        return None if shown["execution"]["status"] == "RUNNING" else shown

    return awaited(ended)


def test_put_shows_the_row_counts_and_exits_with_1_for_bad_data(put):
    assert put.returncode == 1
    assert f"rows read {2 * ROWS} = accepted 564 + rejected 36 (12 duplicate" in put.stdout
    assert f"days changed: {DAY}" in put.stdout
    assert "QUARANTINED incoming/cli/broken.csv: missing_columns: the header row lacks: track_id" in put.stdout
    assert "next: upload a fixed file: music-streams put FIXED.csv --key cli/broken.csv" in put.stdout


def test_progress_goes_to_stderr(put):
    # At the next poll a file may be archived already.
    assert re.search(rf" s  streams_{DAY}_1\.csv  (PUBLISHED|ARCHIVED)$", put.stderr, re.MULTILINE)
    assert " s  broken.csv  QUARANTINED missing_columns" in put.stderr


def test_status_shows_the_health_and_the_files(cli, put):
    shown = cli("status", "--day", str(DAY))
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1].partition(":")[0] in set(Level)
    assert f"streams_{DAY}_1.csv" in shown.stdout
    listed = json.loads(cli("status", "--day", str(DAY), "--json").stdout)
    assert listed["health"]["dead_letters"] == 0
    assert {line["key"] for line in listed["files"]} == {f"incoming/cli/streams_{DAY}_{n}.csv" for n in (1, 2)}


def test_show_has_the_complete_history_of_a_file(history, stack):
    assert history["file"]["rows_read"] == ROWS
    assert history["execution"]["status"] == "SUCCEEDED"
    states = [state["name"] for state in history["execution"]["states"]]
    assert states[0] == "Claim sources"
    assert {"Transform streams", "Load metrics"} < set(states)
    runs = {run["job"]: run["state"] for run in history["execution"]["glue_runs"]}
    assert runs == {"transform-streams": "SUCCEEDED", "load-metrics": "SUCCEEDED"}
    [touched] = history["items"]
    assert touched["day"] == str(DAY)
    assert touched["items"] == len(stack.reader.items_of_day(DAY))
    assert history["lies_at"]["is_there"]


def test_show_explains_a_quarantined_file_and_names_the_next_command(cli, put):
    shown = cli("show", "broken.csv").stdout
    assert "detail      the header row lacks: track_id" in shown
    assert "next: upload a fixed file: music-streams put FIXED.csv --key cli/broken.csv" in shown


def test_show_accepts_a_batch_and_the_beginning_of_an_id(cli, history):
    batch = cli("show", history["file"]["batch_id"]).stdout
    assert batch.splitlines()[1].startswith(f"batch {history['file']['batch_id']}")
    assert f"streams_{DAY}_1.csv" in batch
    assert json.loads(cli("show", history["file"]["batch_id"], "--json").stdout)["execution"] == history["execution"]
    by_id = cli("show", history["file"]["source_id"][:10], "--json").stdout
    assert json.loads(by_id)["file"]["source_id"] == history["file"]["source_id"]


def test_metrics_are_those_of_the_table(cli, put, stack):
    summary = stack.reader.day(DAY)
    rows = json.loads(cli("metrics", "range", "--from", str(DAY), "--to", str(DAY), "--json").stdout)
    assert [row["listen_count"] for row in rows] == [summary.listen_count]
    assert f"{summary.listen_count:,} listens" in cli("metrics", "day", str(DAY)).stdout
    top = summary.top_genres[0]
    days = list(csv.DictReader(io.StringIO(cli("metrics", "genre", top.genre, "--csv").stdout)))
    assert {row["day"]: int(row["listen_count"]) for row in days}[str(DAY)] == top.listen_count


def test_logs_of_a_file_follow_its_run_and_no_other_part(cli, history):
    lines = cli("logs", "--file", history["file"]["source_id"]).stdout.splitlines()
    execution = history["execution"]["arn"].rsplit(":", 1)[-1]
    assert any(line.endswith(f"{execution} SUCCEEDED") for line in lines)
    assert any("glue/transform-streams" in line for line in lines)
    assert not any("Object Created" in line for line in lines)


def test_up_updates_a_running_cloud_and_shows_the_next_commands(cli, put, stack):
    ended = cli("up")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("ready\n")
    for word in (stack.endpoint, stack.landing_bucket, "music-streams demo", "music-streams down"):
        assert word in ended.stdout


def test_errors_have_exit_codes_and_a_next_step(cli, put, data, tmp_path):
    unknown = cli("show", "no-such-file.csv")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "next: music-streams status" in unknown.stderr
    assert cli("put", data / "not-there.csv").returncode == 2
    no_cloud = cli("status", cloud=tmp_path)
    assert no_cloud.returncode == 3
    assert "music-streams up" in no_cloud.stderr
