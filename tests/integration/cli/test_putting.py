"""`put` on AWS, with a simulated pipeline."""

import json
import threading
import time

import pytest

from music_streams.state.sources import Source
from tests.integration.cli.conftest import ARRIVED, put_entry

ROWS = b"user_id,track_id,listen_time\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "new file.csv"
    path.write_bytes(ROWS)
    return path


def version_of(stack, key: str) -> str:
    return str(stack.s3.head_object(Bucket="landing", Key=key)["VersionId"])


@pytest.fixture
def pipeline(stack, monkeypatch):
    """A simulated pipeline: files under `incoming/to/STATUS/` get that status."""
    stop = threading.Event()

    def play() -> None:
        while not stop.is_set():
            for each in stack.s3.list_object_versions(Bucket="landing", Prefix="incoming/to/").get("Versions", []):
                item = Source("landing", each["Key"], each["VersionId"], each["Size"], ARRIVED)
                status = each["Key"].split("/")[2]
                counts = {"rows_read": 5, "rows_accepted": 4, "rejected": {"duplicate": 1}, "days": ["2024-06-25"]}
                published = {"published_at": ARRIVED, **counts} if status == "PUBLISHED" else {"reason": "no_luck"}
                put_entry(stack, item, status=status, updated_at=ARRIVED, **published)
            time.sleep(0.02)

    thread = threading.Thread(target=play)
    thread.start()
    yield
    stop.set()
    thread.join()
    for each in stack.s3.list_object_versions(Bucket="landing", Prefix="incoming/").get("Versions", []):
        if "failed.csv" not in each["Key"]:
            stack.s3.delete_object(Bucket="landing", Key=each["Key"], VersionId=each["VersionId"])


def test_published_files_are_exit_code_0_with_the_row_counts(run, file, pipeline):
    ended = run("put", file, "--key", "to/PUBLISHED/")
    assert ended.exit_code == 0, ended.stderr
    assert "rows read 5 = accepted 4 + rejected 1 (1 duplicate)\ndays changed: 2024-06-25\n" in ended.stdout


def test_json_contains_files_and_counts(run, file, pipeline):
    result = json.loads(run("put", file, "--key", "incoming/to/PUBLISHED/x.csv", "--json", "-q").stdout)
    assert result["files"][0]["key"] == "incoming/to/PUBLISHED/x.csv"
    assert (result["rows_read"], result["rows_accepted"], result["rejected"]) == (5, 4, {"duplicate": 1})


def test_a_failed_file_is_exit_code_1_with_a_next_step(run, file, pipeline):
    ended = run("put", file, "--key", "to/FAILED/")
    assert ended.exit_code == 1
    assert "FAILED incoming/to/FAILED/new file.csv: no_luck\n  next: " in ended.stdout


def test_a_timeout_is_exit_code_4(run, file, pipeline):
    ended = run("put", file, "--key", "away/", "--timeout", "0")
    assert ended.exit_code == 4
    assert "new file.csv: LANDED" in ended.stderr
    assert "next: music-streams status --watch" in ended.stderr


def test_without_waiting_the_ids_are_shown(run, stack, file, pipeline):
    result = json.loads(run("put", file, "--no-wait", "--json").stdout)
    key = "incoming/new file.csv"
    source_id = Source("landing", key, version_of(stack, key), 0, "").source_id
    assert result == {"uploaded": [{"key": key, "source_id": source_id}]}


def test_reference_data_have_their_own_prefix(run, stack, tmp_path, pipeline):
    (tmp_path / "songs.csv").write_bytes(b"x")
    assert run("put", tmp_path / "songs.csv", "--reference", "songs", "--no-wait").exit_code == 0
    assert version_of(stack, "reference/songs/songs.csv")
