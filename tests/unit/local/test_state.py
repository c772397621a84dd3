import json
import os
import re
import subprocess
import sys
from typing import Any

import psutil
import pytest

from local import processes
from local.errors import ServerError
from local.state import ServerRecord, StateDir, write_json


@pytest.fixture
def sleeper(tmp_path):
    """A process of the cloud in tmp_path."""
    process = processes.start(
        [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"],
        env={},
        marker=StateDir(tmp_path).marker,
        cwd=tmp_path,
        output=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def record_of(process: subprocess.Popen[bytes], **changes: Any) -> ServerRecord:
    started = psutil.Process(process.pid).create_time()
    given = {"endpoint": "e", "region": "r", "access_key_id": "key", "secret_access_key": "secret"}
    return ServerRecord(**{"pid": process.pid, "started": started, **given, **changes})


def test_a_record_is_alive_only_for_this_very_process(tmp_path, sleeper):
    state = StateDir(tmp_path)
    record = record_of(sleeper)
    assert record.is_alive(state.marker)
    assert not record.is_alive("another cloud")
    assert not record_of(sleeper, started=record.started - 60).is_alive(state.marker)
    sleeper.kill()
    sleeper.wait()
    assert not record.is_alive(state.marker)


def test_the_live_server_is_found_again(tmp_path, sleeper):
    state = StateDir(tmp_path)
    assert state.live_server() is None
    state.record_server(record_of(sleeper))
    assert state.live_server() == record_of(sleeper)
    state.server_file.write_text("{")
    assert state.live_server() is None


def test_a_sweep_ends_every_process_of_the_cloud_and_no_other(tmp_path, sleeper):
    assert processes.sweep(StateDir(tmp_path / "other").marker) == 0
    assert sleeper.poll() is None
    assert processes.sweep(StateDir(tmp_path).marker) == 1
    sleeper.wait(5)
    assert processes.find(StateDir(tmp_path).marker) == []


def test_ending_a_tree_ends_grandchildren(tmp_path):
    script = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = processes.start([sys.executable, "-c", script], env={}, marker="m", cwd=tmp_path, output=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = psutil.Process(int(process.stdout.readline()))
    processes.end_tree(process)
    process.stdout.close()
    psutil.wait_procs([grandchild], timeout=5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_only_one_at_a_time(tmp_path):
    state = StateDir(tmp_path)
    with state.exclusively(), pytest.raises(ServerError, match="another `up` or `down`"), state.exclusively():
        pass


def test_json_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder" / "stack.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in path.parent.iterdir()] == ["stack.json"]


def test_files_with_the_key_and_those_beside_them_are_for_their_owner_only_whatever_the_umask(tmp_path):
    state = StateDir(tmp_path)
    umask = os.umask(0)
    try:
        with state.exclusively():
            write_json(state.stack_file, {})
    finally:
        os.umask(umask)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "lock": 0o600,
        "stack.json": 0o600,
    }


def test_a_record_is_printed_without_its_key():
    printed = repr(ServerRecord(1, 2.0, "endpoint", "region", access_key_id="4711", secret_access_key="0815"))
    assert "endpoint" in printed
    assert not {"4711", "0815"} & set(re.findall(r"\d+", printed))


def test_every_folder_that_is_made_is_for_its_owner_only(tmp_path):
    root = tmp_path / "outer" / "inner" / "state"
    StateDir(root).make()
    assert {folder.stat().st_mode & 0o777 for folder in (root, root.parent, root.parent.parent)} == {0o700}


def test_a_folder_that_exists_keeps_its_permissions(tmp_path):
    (tmp_path / "outer").mkdir(mode=0o755)
    StateDir(tmp_path / "outer" / "state").make()
    assert (tmp_path / "outer").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_may_write_to_is_refused_before_anything_is_written(tmp_path, mode):
    """Behind a link of theirs lies a file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    (folder / "lock").symlink_to(precious)
    with pytest.raises(ServerError, match=r"others may write to .*chmod go-w"), StateDir(folder).exclusively():
        pass
    assert precious.read_text() == "kept"


def test_a_link_that_others_left_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "lock").symlink_to(precious)
    with pytest.raises(ServerError, match="remove it if it is a link"), StateDir(folder).exclusively():
        pass
    assert precious.read_text() == "kept"
