import json
import os
import re
import subprocess
from typing import Any

import psutil
import pytest

from local import processes
from local.errors import ServerError
from local.state import ServerRecord, StateDir, write_json


@pytest.fixture
def sleeper(tmp_path, start_process):
    """A process of the cloud in tmp_path."""
    return start_process(tmp_path)[0]


def record_of(process: subprocess.Popen[bytes], **changes: Any) -> ServerRecord:
    started = psutil.Process(process.pid).create_time()
    given = {"endpoint": "e", "region": "r", "access_key_id": "key", "secret_access_key": "secret"}
    return ServerRecord(**{"pid": process.pid, "started": started, **given, **changes})


def test_a_record_is_alive_only_for_the_same_process_and_cloud(tmp_path, sleeper):
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


def test_ending_a_tree_ends_grandchildren(tmp_path, start_process):
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)"
    process, number = start_process(tmp_path, f"import subprocess, sys; print({child}.pid, flush=True)")
    grandchild = psutil.Process(number)
    processes.end_tree(process)
    psutil.wait_procs([grandchild], timeout=5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_second_up_or_down_is_refused(tmp_path):
    state = StateDir(tmp_path)
    with state.exclusively(), pytest.raises(ServerError, match="another `up` or `down`"), state.exclusively():
        pass


def test_json_is_replaced_atomically(tmp_path):
    path = tmp_path / "folder" / "stack.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in path.parent.iterdir()] == ["stack.json"]


def test_only_the_owner_can_read_the_files_whatever_the_umask(tmp_path):
    state = StateDir(tmp_path)
    umask = os.umask(0)
    try:
        with state.exclusively():
            write_json(state.stack_file, {})
    finally:
        os.umask(umask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"lock": 0o600, "stack.json": 0o600}


def test_a_record_is_printed_without_its_key():
    printed = repr(ServerRecord(1, 2.0, "endpoint", "region", access_key_id="4711", secret_access_key="0815"))
    assert "endpoint" in printed
    assert not {"4711", "0815"} & set(re.findall(r"\d+", printed))


def test_only_created_folders_are_restricted_to_their_owner(tmp_path):
    (tmp_path / "outer").mkdir(mode=0o755)
    root = tmp_path / "outer" / "middle" / "inner" / "state"
    StateDir(root).make()
    modes = [folder.stat().st_mode & 0o777 for folder in (root, *root.parents[:3])]
    assert modes == [0o700, 0o700, 0o700, 0o755]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o777, "others may write to .*chmod go-w"), (0o775, "others may write"), (0o700, "remove it if it is a link")],
)
def test_a_link_is_not_followed_and_a_folder_writable_by_others_is_refused(tmp_path, mode, reason):
    precious, folder = tmp_path / "precious", tmp_path / "state"
    precious.write_text("kept")
    folder.mkdir()
    folder.chmod(mode)
    (folder / "lock").symlink_to(precious)
    with pytest.raises(ServerError, match=reason), StateDir(folder).exclusively():
        pass
    assert precious.read_text() == "kept"
