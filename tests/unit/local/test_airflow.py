"""How Airflow is started, and what a failed start leaves."""

import json
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from local import airflow, airflow_api, airflow_database, processes
from local.airflow_api import unhealthy_process
from local.airflow_home import GATE, AirflowHome, Launch, environment
from local.errors import AirflowError
from local.state import ServerRecord, StateDir

KEY = {"access_key_id": "key", "secret_access_key": "secret"}
SERVER = ServerRecord(pid=1, started=0.0, endpoint="http://127.0.0.1:4566", region="eu-west-1", **KEY)
URL = "postgresql+psycopg2://127.0.0.1:1/postgres"

# An Airflow whose scheduler fails and whose other servers keep running.
FAKE_AIRFLOW = """
import sys, time

if sys.argv[1] == "scheduler":
    print("the reason why")
    sys.exit(3)
if sys.argv[1] not in {"db", "dags"}:
    time.sleep(60)
"""


@pytest.fixture
def state(tmp_path):
    return StateDir(tmp_path / "state")


@pytest.fixture
def cloud(state, start_process):
    """A process that is recorded as the running server of a cloud."""
    state.root.mkdir()
    process, _ = start_process(state.root)
    state.record_server(ServerRecord(process.pid, psutil.Process(process.pid).create_time(), "http://e", "r", **KEY))
    return process


@pytest.fixture
def launch(tmp_path):
    """A launch of the fake Airflow."""
    dags, plugins, packages = (tmp_path / name for name in ("dags", "plugins", "packages"))
    for folder in (dags, plugins, packages):
        folder.mkdir()
    (packages / "airflow").mkdir()
    (packages / "airflow" / "__main__.py").write_text(FAKE_AIRFLOW)
    (packages / "apache_airflow-3.3.2.dist-info").mkdir()
    (packages / "apache_airflow-3.3.2.dist-info" / "METADATA").write_text("Name: apache-airflow\nVersion: 3.3.2\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Launch(Path(sys.executable), dags, plugins, packages, probe.getsockname()[1])


def settings(state: StateDir, launch: Launch) -> dict[str, str]:
    home = AirflowHome(state)
    return environment(home, launch, SERVER, home.prepare(), URL)


def test_airflow_serves_the_given_folders_on_this_machine_without_cors(state, launch):
    expected = {
        "API__HOST": "127.0.0.1",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{launch.port}/execution/",
        "CORE__DAGS_FOLDER": str(launch.dags),
        "CORE__PLUGINS_FOLDER": str(launch.plugins),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        **{f"API__ACCESS_CONTROL_ALLOW_{kind}": "" for kind in ("ORIGINS", "METHODS", "HEADERS")},
    }
    environ = settings(state, launch)
    assert {name: environ[f"AIRFLOW__{name}"] for name in expected} == expected


def test_the_password_in_the_file_is_new_at_each_start(state, launch):
    environ, home = settings(state, launch), AirflowHome(state)
    assert environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    passwords = Path(environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(passwords.read_text()) == {"admin": home.password}
    assert passwords.stat().st_mode & 0o777 == 0o600
    first = home.password
    assert len(first) >= 20
    settings(state, launch)
    assert home.password != first


def test_tokens_are_signed_with_a_long_private_secret_that_survives_restarts(state, launch, tmp_path):
    clouds = (state, state, StateDir(tmp_path / "another"))
    first, second, of_another = (settings(cloud, launch)["AIRFLOW__API_AUTH__JWT_SECRET"] for cloud in clouds)
    assert len(first.encode()) >= 64
    assert first == second != of_another
    root = AirflowHome(state).root
    assert (root.stat().st_mode & 0o777, (root / "secrets.json").stat().st_mode & 0o777) == (0o700, 0o600)


def test_tasks_find_the_cloud_and_the_packages(state, launch):
    environ = settings(state, launch)
    assert (environ["AWS_ENDPOINT_URL"], environ["AWS_DEFAULT_REGION"]) == ("http://127.0.0.1:4566", "eu-west-1")
    assert (environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]) == ("key", "secret")
    assert environ["LOCAL_CLOUD_STATE"] == str(state.root)
    assert environ["PYTHONPATH"].split(os.pathsep) == [str(launch.pythonpath), str(GATE)]
    assert environ[processes.MARKER] == state.marker


def test_the_users_own_settings_do_not_reach_airflow(state, launch, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "mine")
    monkeypatch.setenv("AWS_PROFILE", "production")
    environ = settings(state, launch)
    assert "AIRFLOW__CORE__FERNET_KEY" not in environ
    assert "AWS_PROFILE" not in environ


def test_paths_are_absolute_wherever_the_command_runs(launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = Launch(launch.python, Path("dags"), Path("plugins"), Path("packages"), launch.port)
    assert settings(StateDir(Path("state")), relative) == settings(StateDir(tmp_path / "state"), launch)


def test_a_port_in_use_is_one_line_with_the_fix(state, cloud, launch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", launch.port))
        listener.listen()
        with pytest.raises(AirflowError) as raised:
            airflow.start(state, launch, print)
    assert str(raised.value) == f"port {launch.port} is in use: choose another with --port or AIRFLOW_PORT"
    assert [process.pid for process in processes.find(state.marker)] == [cloud.pid]


def test_without_a_cloud_the_error_names_the_command(state, launch):
    with pytest.raises(AirflowError, match="start it with `python -m local up`"):
        airflow.start(state, launch, print)


def test_a_missing_folder_and_an_environment_without_postgresql_are_named(state, cloud, launch):
    with pytest.raises(AirflowError, match=f"{launch.python} has no PostgreSQL: ModuleNotFoundError"):
        airflow.start(state, launch, print)
    launch.plugins.rmdir()
    with pytest.raises(AirflowError, match=f"no folder {launch.plugins}"):
        airflow.start(state, launch, print)


def test_a_failed_start_shows_the_log_and_leaves_only_the_cloud(state, cloud, launch, monkeypatch):
    monkeypatch.setattr(airflow_database, "start", lambda *_: URL)
    with pytest.raises(AirflowError) as raised:
        airflow.start(state, launch, print)
    log = AirflowHome(state).log("scheduler")
    assert str(raised.value) == f"scheduler ended with exit code 3: see {log}\n    the reason why"
    assert [process.pid for process in processes.find(state.marker)] == [cloud.pid]
    assert not AirflowHome(state).record_file.exists()


def test_an_unhealthy_process_or_an_old_heartbeat_is_named(monkeypatch):
    began = datetime.now(UTC)
    parts: dict[str, dict[str, str | None]] = {"metadatabase": {"status": "healthy"}}
    for name in ("scheduler", "triggerer", "dag_processor"):
        parts[name] = {"status": "healthy", f"latest_{name}_heartbeat": began.isoformat()}
    monkeypatch.setattr(airflow_api, "_request", {"url/api/v2/monitor/health": parts}.get)
    assert unhealthy_process("url", began) is None
    parts["dag_processor"]["status"] = None
    assert unhealthy_process("url", began) == "dag-processor"
    parts["triggerer"]["latest_triggerer_heartbeat"] = (began - timedelta(seconds=1)).isoformat()
    assert unhealthy_process("url", began) == "triggerer"
    parts["metadatabase"]["status"] = "unhealthy"
    assert unhealthy_process("url", began) == "postgres"


def test_an_api_that_does_not_answer_is_an_os_error(launch):
    with pytest.raises(OSError, match="refused"):
        unhealthy_process(launch.url, datetime.now(UTC))
