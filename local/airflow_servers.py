"""Airflow's four servers, each a process of its own: `airflow standalone` would be a fifth."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime

from local import processes
from local.airflow_api import import_errors, what_ails
from local.airflow_home import AirflowHome, Launch
from local.errors import AirflowError

_START_PATIENCE = 300.0  # seconds; half a minute on a machine with nothing else to do
_SERVERS = {
    # Without their log servers, which would listen on every interface: the logs are read from the folder.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "api-server": ["api-server"],
}


class Servers:
    """Airflow's commands, run as processes that carry its environment."""

    def __init__(self, home: AirflowHome, launch: Launch, env: dict[str, str]) -> None:
        self._home = home
        self._launch = launch
        self._env = env
        self._started: list[subprocess.Popen[bytes]] = []

    def migrate(self, report: Callable[[str], None]) -> None:
        """Makes the database's tables, or changes them for another version of Airflow; takes several seconds."""
        version = self._version()
        if self._home.migrated.is_file() and self._home.migrated.read_text() == version:
            return
        report("making airflow's database …")
        self._finish("migrate", self._run("migrate", "db", "migrate"))
        self._home.migrated.write_text(version)

    def serve(self) -> None:
        """Starts the servers and waits until all are healthy and all files of DAGs and plug-ins are read."""
        began = datetime.now(UTC)
        # The DAG processor tells no one when it has read every file, so that all are read once before it starts.
        reading = self._run("read-dags", "dags", "reserialize")
        servers = {name: self._run(name, *arguments) for name, arguments in _SERVERS.items()}
        self._finish("read-dags", reading)
        servers["dag-processor"] = self._run("dag-processor", "dag-processor")
        self._await_health(servers, began)
        if errors := import_errors(self._launch.url, self._home.password, began):
            raise AirflowError("\n".join(["not everything imports:", *(f"    {error}" for error in errors)]))

    def end(self) -> None:
        """Ends all that was started."""
        for process in self._started:
            processes.end_tree(process)

    def _version(self) -> str:
        ask = "from importlib.metadata import version; print(version('apache-airflow'))"
        found = subprocess.run(
            [self._launch.python, "-c", ask], env=self._env, capture_output=True, text=True, check=False
        )
        if found.returncode:
            raise AirflowError(f"{self._launch.python} has no Airflow: install apache-airflow for it")
        return found.stdout.strip()

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts a command that may outlive this process."""
        with self._home.log(name).open("wb") as output:
            command = [str(self._launch.python.absolute()), "-m", "airflow", *arguments]
            process = processes.start_detached(command, env=self._env, cwd=self._home.root, output=output)
        self._started.append(process)
        return process

    def _finish(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Waits for the end of a command."""
        try:
            code = process.wait(_START_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise AirflowError.with_log(f"{name} did not end in {_START_PATIENCE:g} s", self._home.log(name)) from error
        if code != 0:
            raise AirflowError.with_log(f"{name} failed with exit code {code}", self._home.log(name))

    def _await_health(self, servers: dict[str, subprocess.Popen[bytes]], since: datetime) -> None:
        """Waits until Airflow calls all its parts healthy."""
        deadline = time.monotonic() + _START_PATIENCE
        ailing = "api-server"
        while time.monotonic() < deadline:
            for name, process in servers.items():
                if process.poll() is not None:
                    raise AirflowError.with_log(
                        f"{name} ended with exit code {process.returncode}", self._home.log(name)
                    )
            with contextlib.suppress(OSError):
                found = what_ails(self._launch.url, since)
                if found is None:
                    return
                ailing = found
            time.sleep(0.2)
        raise AirflowError.with_log(f"{ailing} was not healthy within {_START_PATIENCE:g} s", self._home.log(ailing))
