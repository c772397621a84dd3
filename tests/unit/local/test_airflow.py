"""How Airflow is started: its settings, and what is left where it does not start."""

import json
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from local import airflow, airflow_api, airflow_database, processes
from local.airflow_api import what_ails
from local.airflow_home import GATE, AirflowHome, Launch, environment
from local.errors import AirflowError
from local.state import ServerRecord, StateDir

KEY = {"access_key_id": "key", "secret_access_key": "secret"}
SERVER = ServerRecord(pid=1, started=0.0, endpoint="http://127.0.0.1:4566", region="eu-west-1", **KEY)
URL = "postgresql+psycopg2://127.0.0.1:1/postgres"

# An Airflow whose scheduler ends and whose other servers run on.
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
    """A process that passes for the running server of a cloud."""
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


def test_airflow_shows_what_is_given_on_this_machine_only_and_to_no_page_of_another_origin(state, launch):
    expected = {
        "API__HOST": "127.0.0.1",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{launch.port}/execution/",
        "CORE__DAGS_FOLDER": str(launch.dags),
        "CORE__PLUGINS_FOLDER": str(launch.plugins),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        **{f"API__ACCESS_CONTROL_ALLOW_{kind}": "" for kind in ("ORIGINS", "METHODS", "HEADERS")},
    }
    made = settings(state, launch)
    assert {name: made[f"AIRFLOW__{name}"] for name in expected} == expected


def test_the_one_user_has_the_password_of_the_file_which_is_another_at_each_start(state, launch):
    made, home = settings(state, launch), AirflowHome(state)
    assert made["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    passwords = Path(made["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(passwords.read_text()) == {"admin": home.password}
    assert passwords.stat().st_mode & 0o777 == 0o600
    first = home.password
    assert len(first) >= 20
    settings(state, launch)
    assert home.password != first


def test_tokens_are_signed_by_a_long_secret_that_outlives_a_start_and_nobody_else_reads(state, launch, tmp_path):
    clouds = (state, state, StateDir(tmp_path / "another"))
    first, second, of_another = (settings(each, launch)["AIRFLOW__API_AUTH__JWT_SECRET"] for each in clouds)
    assert len(first.encode()) >= 64
    assert first == second != of_another
    root = AirflowHome(state).root
    assert (root.stat().st_mode & 0o777, (root / "secrets.json").stat().st_mode & 0o777) == (0o700, 0o600)


def test_tasks_find_the_cloud_and_the_packages(state, launch):
    made = settings(state, launch)
    assert (made["AWS_ENDPOINT_URL"], made["AWS_DEFAULT_REGION"]) == ("http://127.0.0.1:4566", "eu-west-1")
    assert (made["AWS_ACCESS_KEY_ID"], made["AWS_SECRET_ACCESS_KEY"]) == ("key", "secret")
    assert made["LOCAL_CLOUD_STATE"] == str(state.root)
    assert made["PYTHONPATH"].split(os.pathsep) == [str(launch.pythonpath), str(GATE)]
    assert made[processes.MARKER] == state.marker


def test_the_users_own_settings_do_not_reach_airflow(state, launch, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "mine")
    monkeypatch.setenv("AWS_PROFILE", "production")
    made = settings(state, launch)
    assert "AIRFLOW__CORE__FERNET_KEY" not in made
    assert "AWS_PROFILE" not in made


def test_paths_are_absolute_wherever_the_command_runs(launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = Launch(launch.python, Path("dags"), Path("plugins"), Path("packages"), launch.port)
    assert settings(StateDir(Path("state")), relative) == settings(StateDir(tmp_path / "state"), launch)


def test_a_taken_port_is_one_line_with_the_way_out(state, cloud, launch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", launch.port))
        taken.listen()
        with pytest.raises(AirflowError) as raised:
            airflow.start(state, launch, print)
    assert str(raised.value) == f"port {launch.port} is taken: choose another with --port or AIRFLOW_PORT"
    assert [process.pid for process in processes.find(state.marker)] == [cloud.pid]


def test_without_a_cloud_it_says_how_to_start_one(state, launch):
    with pytest.raises(AirflowError, match="start it with `python -m local up`"):
        airflow.start(state, launch, print)


def test_a_missing_folder_and_an_environment_without_postgresql_are_named(state, cloud, launch):
    with pytest.raises(AirflowError, match=f"{launch.python} has no PostgreSQL: ModuleNotFoundError"):
        airflow.start(state, launch, print)
    launch.plugins.rmdir()
    with pytest.raises(AirflowError, match=f"no folder {launch.plugins}"):
        airflow.start(state, launch, print)


def test_a_failed_start_tells_why_and_leaves_nothing_but_the_cloud(state, cloud, launch, monkeypatch):
    monkeypatch.setattr(airflow_database, "start", lambda *_: URL)
    with pytest.raises(AirflowError) as raised:
        airflow.start(state, launch, print)
    log = AirflowHome(state).log("scheduler")
    assert str(raised.value) == f"scheduler ended with exit code 3: see {log}\n    the reason why"
    assert [process.pid for process in processes.find(state.marker)] == [cloud.pid]
    assert not AirflowHome(state).record_file.exists()


def test_the_part_that_is_not_healthy_is_named_also_by_a_heartbeat_of_an_airflow_that_has_ended(monkeypatch):
    began = datetime.now(UTC)
    parts: dict[str, dict[str, str | None]] = {"metadatabase": {"status": "healthy"}}
    for name in ("scheduler", "triggerer", "dag_processor"):
        parts[name] = {"status": "healthy", f"latest_{name}_heartbeat": began.isoformat()}
    monkeypatch.setattr(airflow_api, "_ask", {"url/api/v2/monitor/health": parts}.get)
    assert what_ails("url", began) is None
    parts["dag_processor"]["status"] = None
    assert what_ails("url", began) == "dag-processor"
    parts["triggerer"]["latest_triggerer_heartbeat"] = (began - timedelta(seconds=1)).isoformat()
    assert what_ails("url", began) == "triggerer"
    parts["metadatabase"]["status"] = "unhealthy"
    assert what_ails("url", began) == "postgres"


def test_nothing_answers(launch):
    with pytest.raises(OSError, match="refused"):
        what_ails(launch.url, datetime.now(UTC))
