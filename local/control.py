"""Start and stop the server of a cloud."""

import contextlib
import os
import shutil
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from local import airflow, processes
from local.airflow_home import AirflowHome
from local.errors import ServerError
from local.gate import MOTO_SETTINGS
from local.processes import MARKER
from local.state import ServerRecord, StateDir, for_owner

_START_PATIENCE = 60.0  # seconds
_STOP_PATIENCE = 15.0  # seconds
_PASSED_ON = {"HOME", "JAVA_HOME", "LANG", "PATH", "TMPDIR", "XDG_CACHE_HOME"}


def start(state: StateDir, port: int, region: str) -> ServerRecord:
    """Start a detached server and wait until it answers. Raises ServerError with the server's last line of output."""
    processes.sweep(state.marker)
    state.make()
    for stale in (state.server_file, state.stack_file, state.resources_file):
        stale.unlink(missing_ok=True)
    env = {
        **{name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LOCAL_CLOUD_")},
        **MOTO_SETTINGS,
        MARKER: state.marker,
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "localhost,127.0.0.1",
    }
    with open(state.server_output, "wb", opener=for_owner) as output:
        command = [sys.executable, "-m", "local.server", str(state.root.resolve()), str(port), region]
        server = processes.start_detached(command, env=env, cwd=state.root, output=output)
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            lines = state.server_output.read_text(errors="replace").strip().splitlines()
            raise ServerError(lines[-1] if lines else f"the server ended with exit code {server.returncode}")
        record = state.live_server()
        if record is not None and is_healthy(record):
            return record
        time.sleep(0.05)
    processes.end_tree(server)
    raise ServerError(f"the server did not answer within {_START_PATIENCE:g} s: see {state.server_output}")


def is_healthy(record: ServerRecord) -> bool:
    """Return whether the server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(  # noqa: S310  ours
        f"{record.endpoint}/moto-api/data.json", headers={"Authorization": record.credentials.authorization}
    )
    with contextlib.suppress(OSError), opener.open(request, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def stop(state: StateDir) -> int:
    """Stop the server and Airflow, kill what is left, return how many ended. Raises ServerError if one does not end."""
    before = len(processes.find(state.marker))
    airflow.stop(state)
    record = state.live_server()
    if record is not None:
        with contextlib.suppress(psutil.Error):
            psutil.Process(record.pid).terminate()
        deadline = time.monotonic() + _STOP_PATIENCE
        while record.is_alive(state.marker) and time.monotonic() < deadline:
            time.sleep(0.02)
    try:
        processes.sweep(state.marker)
    except TimeoutError as error:
        raise ServerError(f"processes {error} did not end: inspect them with `ps`") from error
    state.server_file.unlink(missing_ok=True)
    state.stack_file.unlink(missing_ok=True)
    shutil.rmtree(state.scratch, ignore_errors=True)
    return before


def delete_files(state: StateDir) -> None:
    """Delete the files of a stopped cloud, so that the next one starts empty. The lock file stays."""
    for path in (AirflowHome(state).root, state.functions, state.glue, state.runtime, state.scratch):
        shutil.rmtree(path, ignore_errors=True)
    files = (state.log_file, state.calls_file, state.server_output, state.resources_file, state.stack_file)
    for path in (*files, state.server_file):
        path.unlink(missing_ok=True)
