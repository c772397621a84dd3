"""Start and stop Airflow next to a running cloud."""

import contextlib
import errno
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil

from local import airflow_database, processes
from local.airflow_api import unhealthy_process
from local.airflow_home import HOST, USER, AirflowHome, Launch, environment
from local.airflow_servers import Servers
from local.errors import AirflowError
from local.state import ServerRecord, StateDir, write_json

Report = Callable[[str], None]


def start(state: StateDir, launch: Launch, report: Report) -> None:
    """Start Airflow unless it is running, wait until it is healthy and has loaded every DAG, and report its address.

    Raises AirflowError if it does not get that far; then no process of it is left.
    """
    home = AirflowHome(state)
    running = running_url(home)
    if running is not None:
        report(f"Airflow is already running: {running}, login {USER}, password {home.password}")
        return
    cloud = _check(state, launch)
    began = time.monotonic()
    stop(state)  # a process may be left of an Airflow that is not healthy
    _check_port(launch.port)
    try:
        _start(home, launch, cloud, report)
    except BaseException:
        stop(state)
        raise
    write_json(home.record_file, {"url": launch.url})
    report(f"Airflow is up after {time.monotonic() - began:.1f} s")
    for name, text in (
        ("address", launch.url),
        ("login", f"{USER}, password {home.password}"),
        ("dags", f"{launch.dags}/, reloaded when they change"),
        ("plug-ins", f"{launch.plugins}/, loaded at the start"),
        ("logs", f"{home.logs}/"),
        ("stop", "with the cloud: python -m local down"),
    ):
        report(f"  {name:<9} {text}")


def running_url(home: AirflowHome) -> str | None:
    """Return the URL of this cloud's Airflow if it answers and is healthy, else None."""
    try:
        url = str(json.loads(home.record_file.read_text())["url"])
        return url if unhealthy_process(url, datetime.min.replace(tzinfo=UTC)) is None else None
    except (OSError, ValueError, KeyError):
        return None


def stop(state: StateDir) -> None:
    """Stop Airflow and its database. No data is lost: PostgreSQL recovers from a kill."""
    home = AirflowHome(state)
    while remaining := _processes(home):
        for process in remaining:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(remaining, timeout=0.5)
    airflow_database.stop(home)
    home.record_file.unlink(missing_ok=True)


def _check(state: StateDir, launch: Launch) -> ServerRecord:
    cloud = state.live_server()
    if cloud is None:
        raise AirflowError(f"no cloud is running for {state.root}: start it with `python -m local up`")
    for folder in (launch.dags, launch.plugins, launch.pythonpath):
        if not folder.is_dir():
            raise AirflowError(f"no folder {folder}: create it or name another")
    if not launch.python.is_file():
        raise AirflowError(f"no interpreter {launch.python}: install Airflow and set --python to its interpreter")
    return cloud


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just closed is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            problem = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise AirflowError(f"port {port} {problem}: choose another with --port or AIRFLOW_PORT") from error


def _start(home: AirflowHome, launch: Launch, cloud: ServerRecord, report: Report) -> None:
    keys = home.prepare()
    database_url = airflow_database.start(home, launch.python, keys.database)
    servers = Servers(home, launch, environment(home, launch, cloud, keys, database_url))
    try:
        servers.migrate(report)
        report("starting Airflow …")
        servers.serve()
    except BaseException:
        servers.end()
        raise


def _processes(home: AirflowHome) -> list[psutil.Process]:
    """Return the processes of Airflow itself and of its tasks."""
    matches = []
    for process in processes.find(home.state.marker):
        with contextlib.suppress(psutil.Error):
            if process.environ().get("AIRFLOW_HOME") == str(home.root):
                matches.append(process)
    return matches
