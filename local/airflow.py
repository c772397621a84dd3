"""Starting and stopping Airflow beside a running cloud."""

import contextlib
import errno
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil

from local import airflow_database, processes
from local.airflow_api import what_ails
from local.airflow_home import HOST, USER, AirflowHome, Launch, environment
from local.airflow_servers import Servers
from local.errors import AirflowError
from local.state import ServerRecord, StateDir, write_json

Report = Callable[[str], None]


def start(state: StateDir, launch: Launch, report: Report) -> None:
    """Starts Airflow unless it runs, waits until it is healthy and every DAG is read, and tells where it is.

    Raises AirflowError, with nothing of it left, where it does not come so far.
    """
    home = AirflowHome(state)
    running = running_url(home)
    if running is not None:
        report(f"airflow already runs: {running}, login {USER}, password {home.password}")
        return
    cloud = _check(state, launch)
    began = time.monotonic()
    stop(state)  # what is left of one that lost a part
    _check_port(launch.port)
    try:
        _start(home, launch, cloud, report)
    except BaseException:
        stop(state)
        raise
    write_json(home.record_file, {"url": launch.url})
    report(f"airflow is up in {time.monotonic() - began:.1f} s")
    for name, text in (
        ("address", launch.url),
        ("login", f"{USER}, password {home.password}"),
        ("dags", f"{launch.dags}/, read anew when they change"),
        ("plug-ins", f"{launch.plugins}/, read at the start"),
        ("logs", f"{home.logs}/"),
        ("stop", "with the cloud: python -m local down"),
    ):
        report(f"  {name:<9} {text}")


def running_url(home: AirflowHome) -> str | None:
    """Where the Airflow of this cloud answers and is healthy; None where it does not."""
    try:
        url = str(json.loads(home.record_file.read_text())["url"])
        return url if what_ails(url, datetime.min.replace(tzinfo=UTC)) is None else None
    except (OSError, ValueError, KeyError):
        return None


def stop(state: StateDir) -> None:
    """Ends Airflow and its database. Nothing is lost: the database survives even the end of a machine."""
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
        raise AirflowError(f"no cloud runs for {state.root}: start it with `python -m local up`")
    for folder in (launch.dags, launch.plugins, launch.pythonpath):
        if not folder.is_dir():
            raise AirflowError(f"no folder {folder}: name another, or make it")
    if not launch.python.is_file():
        raise AirflowError(f"no interpreter {launch.python}: install Airflow and name its environment's with --python")
    return cloud


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            trouble = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise AirflowError(f"port {port} {trouble}: choose another with --port or AIRFLOW_PORT") from error


def _start(home: AirflowHome, launch: Launch, cloud: ServerRecord, report: Report) -> None:
    proofs = home.prepare()
    database_url = airflow_database.start(home, launch.python, proofs.database)
    servers = Servers(home, launch, environment(home, launch, cloud, proofs, database_url))
    try:
        servers.migrate(report)
        report("starting airflow …")
        servers.serve()
    except BaseException:
        servers.end()
        raise


def _processes(home: AirflowHome) -> list[psutil.Process]:
    """Those of Airflow itself, with the tasks."""
    found = []
    for process in processes.find(home.state.marker):
        with contextlib.suppress(psutil.Error):
            if process.environ().get("AIRFLOW_HOME") == str(home.root):
                found.append(process)
    return found
