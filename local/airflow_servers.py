"""Airflow's four servers as separate processes; `airflow standalone` would be a fifth."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime

from local import processes
from local.airflow_api import import_errors, unhealthy_process
from local.airflow_home import AirflowHome, Launch
from local.errors import AirflowError

_START_PATIENCE = 300.0  # seconds; an idle machine needs half a minute
_SERVERS = {
    # No log servers, which would listen on every interface: logs are read from the folder.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "api-server": ["api-server"],
}


class Servers:
    """Airflow's commands as processes with the same environment."""

    def __init__(self, home: AirflowHome, launch: Launch, env: dict[str, str]) -> None:
        self._home = home
        self._launch = launch
        self._env = env
        self._started: list[subprocess.Popen[bytes]] = []

    def migrate(self, report: Callable[[str], None]) -> None:
        """Create the database's tables, or migrate them to this version of Airflow. Takes several seconds."""
        version = self._version()
        if self._home.migrated.is_file() and self._home.migrated.read_text() == version:
            return
        report("creating Airflow's database …")
        self._finish("migrate", self._run("migrate", "db", "migrate"))
        self._home.migrated.write_text(version)

    def serve(self) -> None:
        """Start the servers; wait until all are healthy and every DAG file and plug-in is loaded."""
        began = datetime.now(UTC)
        # The DAG processor does not report when it has loaded every file, so load all of them once before it starts.
        reading = self._run("read-dags", "dags", "reserialize")
        servers = {name: self._run(name, *arguments) for name, arguments in _SERVERS.items()}
        self._finish("read-dags", reading)
        servers["dag-processor"] = self._run("dag-processor", "dag-processor")
        self._await_health(servers, began)
        if errors := import_errors(self._launch.url, self._home.password, began):
            raise AirflowError("DAGs or plug-ins cannot be imported: fix them\n    " + "\n    ".join(errors))

    def end(self) -> None:
        """End all processes that were started."""
        for process in self._started:
            processes.end_tree(process)

    def _version(self) -> str:
        script = "from importlib.metadata import version; print(version('apache-airflow'))"
        result = subprocess.run(
            [self._launch.python, "-c", script], env=self._env, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise AirflowError(f"{self._launch.python} has no Airflow: install apache-airflow in its environment")
        return result.stdout.strip()

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that may outlive this process."""
        with self._home.log(name).open("wb") as output:
            command = [str(self._launch.python.absolute()), "-m", "airflow", *arguments]
            process = processes.start_detached(command, env=self._env, cwd=self._home.root, output=output)
        self._started.append(process)
        return process

    def _finish(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Wait for a command to end. Raises AirflowError if it fails."""
        try:
            code = process.wait(_START_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise AirflowError.with_log(
                f"{name} did not finish within {_START_PATIENCE:g} s", self._home.log(name)
            ) from error
        if code != 0:
            raise AirflowError.with_log(f"{name} failed with exit code {code}", self._home.log(name))

    def _await_health(self, servers: dict[str, subprocess.Popen[bytes]], since: datetime) -> None:
        """Wait until Airflow reports that all its processes are healthy."""
        deadline = time.monotonic() + _START_PATIENCE
        failing = "api-server"
        while time.monotonic() < deadline:
            for name, process in servers.items():
                if process.poll() is not None:
                    raise AirflowError.with_log(
                        f"{name} ended with exit code {process.returncode}", self._home.log(name)
                    )
            with contextlib.suppress(OSError):
                process_name = unhealthy_process(self._launch.url, since)
                if process_name is None:
                    return
                failing = process_name
            time.sleep(0.2)
        raise AirflowError.with_log(f"{failing} was not healthy within {_START_PATIENCE:g} s", self._home.log(failing))
