"""The command line as scripts use it: as processes, piped, one after the other on the running pipeline."""

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

DAY = date(2024, 10, 5)
ROWS = 300


@pytest.fixture(scope="module")
def cli(cloud):
    """Run a command; none shows codes of a terminal or a traceback."""

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
    """Reference data, streams and a broken file, as a newcomer would put them."""
    for kind in ("songs", "users"):
        assert cli("put", data / f"{kind}.csv", "--reference", kind, "--no-wait").returncode == 0
    return cli("put", *sorted(data.glob("streams_*.csv")), data / "broken.csv", "--key", "cli/")


@pytest.fixture(scope="module")
def told(cli, put):
    """The story of a good file, once its execution has ended: `put` waits for the metrics, not for the archive."""

    def ended():
        story = json.loads(cli("show", f"cli/streams_{DAY}_1.csv", "--json").stdout)
        return None if story["execution"]["status"] == "RUNNING" else story

    return awaited(ended)


def test_put_ends_with_the_sums_and_tells_bad_data_by_its_exit_code(put):
    assert put.returncode == 1
    assert f"rows read {2 * ROWS} = accepted 564 + rejected 36 (12 duplicate" in put.stdout
    assert f"days changed: {DAY}" in put.stdout
    assert "QUARANTINED incoming/cli/broken.csv: missing_columns: the header row lacks: track_id" in put.stdout
    assert "next: fix the file, then: music-streams put FILE --key cli/broken.csv" in put.stdout


def test_progress_goes_to_stderr(put):
    # A file may be archived already when it is looked at again.
    assert re.search(rf" s  streams_{DAY}_1\.csv  (PUBLISHED|ARCHIVED)$", put.stderr, re.MULTILINE)
    assert " s  broken.csv  QUARANTINED missing_columns" in put.stderr


def test_status_begins_with_the_health_and_lists_the_files(cli, put):
    shown = cli("status", "--day", str(DAY))
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0].partition(":")[0] in set(Level)
    assert f"streams_{DAY}_1.csv" in shown.stdout
    listed = json.loads(cli("status", "--day", str(DAY), "--json").stdout)
    assert listed["health"]["dead_letters"] == 0
    assert {line["key"] for line in listed["files"]} == {f"incoming/cli/streams_{DAY}_{n}.csv" for n in (1, 2)}


def test_show_tells_the_whole_way_of_a_file(told, stack):
    assert told["file"]["rows_read"] == ROWS
    assert told["execution"]["status"] == "SUCCEEDED"
    states = [state["name"] for state in told["execution"]["states"]]
    assert states[0] == "Claim sources"
    assert {"Transform streams", "Load metrics"} < set(states)
    runs = {run["job"]: run["state"] for run in told["execution"]["glue_runs"]}
    assert runs == {"transform-streams": "SUCCEEDED", "load-metrics": "SUCCEEDED"}
    [touched] = told["items"]
    assert touched["day"] == str(DAY)
    assert touched["items"] == len(stack.reader.items_of_day(DAY))
    assert told["lies_at"]["is_there"]


def test_show_explains_a_quarantined_file_and_what_to_run_next(cli, put):
    shown = cli("show", "broken.csv").stdout
    assert "detail      the header row lacks: track_id" in shown
    assert "next: fix the file, then: music-streams put FILE --key cli/broken.csv" in shown


def test_show_takes_a_batch_and_the_beginning_of_an_id(cli, told):
    batch = cli("show", told["file"]["batch_id"]).stdout
    assert batch.startswith(f"batch {told['file']['batch_id']}")
    assert f"streams_{DAY}_1.csv" in batch
    assert json.loads(cli("show", told["file"]["batch_id"], "--json").stdout)["execution"] == told["execution"]
    by_id = cli("show", told["file"]["source_id"][:10], "--json").stdout
    assert json.loads(by_id)["file"]["source_id"] == told["file"]["source_id"]


def test_metrics_are_those_of_the_table(cli, put, stack):
    summary = stack.reader.day(DAY)
    rows = json.loads(cli("metrics", "range", "--from", str(DAY), "--to", str(DAY), "--json").stdout)
    assert [row["listen_count"] for row in rows] == [summary.listen_count]
    assert f"{summary.listen_count:,} listens" in cli("metrics", "day", str(DAY)).stdout
    top = summary.top_genres[0]
    found = list(csv.DictReader(io.StringIO(cli("metrics", "genre", top.genre, "--csv").stdout)))
    assert {row["day"]: int(row["listen_count"]) for row in found}[str(DAY)] == top.listen_count


def test_logs_of_a_file_follow_its_run_and_no_other_part(cli, told):
    lines = cli("logs", "--file", told["file"]["source_id"]).stdout.splitlines()
    execution = told["execution"]["arn"].rsplit(":", 1)[-1]
    assert any(line.endswith(f"{execution} SUCCEEDED") for line in lines)
    assert any("glue/transform-streams" in line for line in lines)
    assert not any("Object Created" in line for line in lines)


def test_up_on_a_running_cloud_updates_it_and_says_how_to_go_on(cli, put, stack):
    ended = cli("up")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("ready\n")
    for word in (stack.endpoint, stack.landing_bucket, "music-streams demo", "music-streams down"):
        assert word in ended.stdout


def test_trouble_is_told_by_exit_codes_and_the_next_step(cli, put, data, tmp_path):
    unknown = cli("show", "no-such-file.csv")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "next: music-streams status" in unknown.stderr
    assert cli("put", data / "not-there.csv").returncode == 2
    no_cloud = cli("status", cloud=tmp_path)
    assert no_cloud.returncode == 3
    assert "music-streams up" in no_cloud.stderr
