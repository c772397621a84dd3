"""Airflow with a local cloud, from the first start to the end, with an unrelated DAG."""

import contextlib
import json
import stat
import subprocess
from urllib.error import HTTPError

import psutil
import pytest

from local import airflow_database, processes
from local.airflow_home import AirflowHome
from local.state import StateDir
from tests.answers import Answer
from tests.answers import ask as ask_exactly
from tests.e2e.airflow.airflow_api import Airflow, send
from tests.e2e.airflow.conftest import PYTHON, free_port, start_airflow
from tests.integration.local.clouds import STACK, Cloud, command, eventually

pytestmark = pytest.mark.slow

DAG = """
import os
from datetime import timedelta

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import dag, task

import greetings


@dag(schedule=None, params={"bucket": "", "fail": False})
def greet():
    @task
    def look(params):
        if params["fail"]:
            raise RuntimeError("as asked")
        buckets = [bucket["Name"] for bucket in S3Hook().get_conn().list_buckets()["Buckets"]]
        return {"greeting": greetings.HELLO, "buckets": buckets, "state": os.environ["LOCAL_CLOUD_STATE"]}

    wait = S3KeySensor(
        task_id="wait",
        bucket_key="s3://{{ params.bucket }}/awaited",
        deferrable=True,
        poke_interval=1,
        # The scheduler fails a task that is resumed before it has heard of the end of the process that deferred it.
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
    wait >> look()


greet()
"""

EVIL = "http://evil.example"
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FROM_A_WEBSITE = {
    "read by DNS rebinding": ("GET", {"Host": "evil.example"}),
    "write by DNS rebinding": ("POST", {"Host": "evil.example", "Origin": EVIL, "Sec-Fetch-Site": "same-origin"}),
    "request of a page": ("POST", {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}),
    "request of a page in an old browser": ("POST", {"Origin": EVIL}),
    "request of a page at another port": ("POST", {"Origin": "http://127.0.0.1:1"}),
    "request of a sandboxed page": ("POST", {"Origin": "null"}),
    "preflight": ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "GET"}),
    "image": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
    "frame": ("GET", {**LINK, "Sec-Fetch-Dest": "iframe"}),
}


def is_refused(answer: Answer) -> bool:
    """Return whether the gate refused the request; Airflow itself responds to GET /auth/token with 403."""
    is_by_the_gate = "This server answers to" in answer.body or "A page of another website" in answer.body
    return answer.is_refused and is_by_the_gate


def ask(port: int, method: str, path: str, headers: dict[str, str], body: dict[str, str] | None = None) -> Answer:
    """Send a request with these headers, with the port appended to the host name."""
    host = headers.get("Host", "127.0.0.1")
    sent = {**headers, "Host": f"{host}:{port}", "Content-Type": "application/json"}
    return ask_exactly(port, method, path, sent, json.dumps(body or {}))


@pytest.fixture
def root(tmp_path):
    """Return the folder for a cloud, and stop the cloud after the test."""
    yield tmp_path / "state"
    result = command("down", "--state-dir", tmp_path / "state")
    assert result.returncode == 0, result.stderr


@pytest.fixture
def folders(tmp_path):
    """Create folders for DAGs, plug-ins and packages."""
    dags, plugins, packages = (tmp_path / name for name in ("dags", "plugins", "packages"))
    for folder in (dags, plugins, packages):
        folder.mkdir()
    (dags / "greet.py").write_text(DAG)
    (packages / "greetings.py").write_text("HELLO = 'hello'\n")
    return dags, plugins, packages


def processes_in(state: StateDir) -> list[psutil.Process]:
    """Return the processes whose working directory is in the cloud's folder; those of PostgreSQL hide their marker."""
    inside = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd().startswith(f"{state.root}/"):
                inside.append(process)
    return inside


@pytest.mark.timeout(1200)
def test_airflow_starts_runs_dags_restarts_and_stops(root, folders):
    cloud = Cloud.up(root, STACK)
    port = free_port()
    home = AirflowHome(cloud.state)

    # The start waits until every part is healthy and the DAG is loaded.
    started = start_airflow(root, port, *folders)
    assert started.returncode == 0, started.stdout + started.stderr
    airflow = Airflow(f"http://127.0.0.1:{port}", home.password)
    assert airflow.url in started.stdout
    assert f"{airflow.user}, password {airflow.password}" in started.stdout
    health = airflow.api("GET", "monitor/health")
    assert {name: part["status"] for name, part in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )
    assert [dag["dag_id"] for dag in airflow.api("GET", "dags")["dags"]] == ["greet"]

    # Only its user has access.
    with pytest.raises(HTTPError, match="401"):
        send("GET", f"{airflow.url}/api/v2/dags")
    with pytest.raises(HTTPError, match="401"):
        Airflow(airflow.url, password="admin").token()

    # It refuses requests of websites to any part, and they cannot read the response.
    answers = {
        (path, attack): ask(port, method, path, headers)
        for path in ("/", "/api/v2/monitor/health", "/auth/token", "/execution/health")
        for attack, (method, headers) in FROM_A_WEBSITE.items()
    }
    assert {request: answer.status for request, answer in answers.items() if not is_refused(answer)} == {}

    # Its own pages can log in, with either name of this machine; links from websites work.
    credentials = {"username": airflow.user, "password": airflow.password}
    for host in ("127.0.0.1", "localhost"):
        own_page = {"Host": host, "Origin": f"http://{host}:{port}", "Sec-Fetch-Site": "same-origin"}
        assert ask(port, "POST", "/auth/token", own_page, credentials).status == 201, host
        assert ask(port, "GET", "/", {"Host": host, **LINK}).status == 200, host

    # It listens on the loopback interface only.
    listening = {
        connection.laddr.ip
        for process in processes_in(cloud.state)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert {stat.filemode(home.root.stat().st_mode), stat.filemode(home.database.stat().st_mode)} == {"drwx------"}

    # Tasks and deferred tasks can access the cloud, and tasks the packages.
    bucket = cloud.outputs["Landing"]
    run = airflow.trigger("greet", {"bucket": bucket})
    eventually(lambda: "deferred" in {task["state"] for task in airflow.tasks("greet", run)})
    cloud.client("s3").put_object(Bucket=bucket, Key="awaited", Body=b"")
    airflow.succeed("greet", run)
    seen = airflow.returned("greet", run, "look")
    assert (seen["greeting"], seen["state"]) == ("hello", str(root))
    assert bucket in seen["buckets"]
    failing = airflow.trigger("greet", {"bucket": bucket, "fail": True})
    assert airflow.wait("greet", failing) == "failed"
    assert "as asked" in airflow.details("greet", failing)

    # A second start finds the running Airflow.
    again = start_airflow(root, port, *folders)
    login = f"login {airflow.user}, password {airflow.password}"
    assert (again.returncode, again.stdout) == (0, f"airflow already runs: {airflow.url}, {login}\n")

    # After a crash, a DAG that cannot be imported fails the start; the cloud keeps running, Airflow does not.
    processes.sweep(cloud.state.marker)
    cloud = Cloud.up(root, STACK)
    broken = folders[0] / "broken.py"
    broken.write_text("import nothing_like_it  # for airflow: a dag\n")
    refused = start_airflow(root, port, *folders)
    assert refused.returncode == 1
    assert "broken.py: ModuleNotFoundError: No module named 'nothing_like_it'" in refused.stderr
    assert cloud.client("s3").list_buckets()["Buckets"]
    assert [process for process in processes_in(cloud.state) if process.cwd().startswith(f"{home.root}")] == []

    # After the fix it starts with its previous state.
    broken.unlink()
    restarted = start_airflow(root, port, *folders)
    assert restarted.returncode == 0, restarted.stdout + restarted.stderr
    airflow = Airflow(airflow.url, home.password)
    assert airflow.wait("greet", run) == "success"

    # `down` leaves no process.
    cloud.down()
    assert processes.find(cloud.state.marker) == []
    assert processes_in(cloud.state) == []


def test_a_killed_database_restarts_even_if_another_process_has_its_pid(root):
    home = AirflowHome(StateDir(root))
    password = home.prepare().database
    airflow_database.start(home, PYTHON, password)
    processes.sweep(home.state.marker)
    eventually(lambda: processes_in(home.state) == [])
    user = home.database.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=user) as other:
        pid_file = home.database / "postmaster.pid"
        pid_file.write_text("\n".join([str(other.pid), *pid_file.read_text().splitlines()[1:], ""]))
        airflow_database.start(home, PYTHON, password)
        airflow_database.stop(home)
        assert other.poll() is None
        other.kill()
    assert processes_in(home.state) == []
