"""The local servers refuse websites, and programs without the key."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from local.credentials import Credentials
from local.gate import MOTO_SETTINGS
from local.processes import find
from local.runtime_api import RuntimeApi
from tests.answers import Answer, ask
from tests.integration.local.another_user import send_as_another_user
from tests.integration.local.clouds import REPOSITORY, Cloud, command, eventually

EVIL = "https://evil.example"


class Server(NamedTuple):
    """A server of this machine, and the headers that it requires."""

    port: int
    key: dict[str, str]
    method: str = "GET"  # of a request that a program may make
    path: str = "/"

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send exactly these headers, with a Host if they have none."""
        return ask(self.port, method, path, headers, body)


@pytest.fixture(scope="module")
def cloud_server(cloud) -> Server:
    return Server(int(cloud.aws.endpoint.rsplit(":", 1)[1]), {"Authorization": cloud.aws.credentials.authorization})


@pytest.fixture(scope="module")
def runtime_api() -> Iterator[Server]:
    api = RuntimeApi()
    yield Server(int(api.address.rsplit(":", 1)[1]), {}, "POST", "/2018-06-01/runtime/init/error")
    api.close()


@pytest.fixture(scope="module")
def warm_up_server(tmp_path_factory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("warm-up") / "endpoint"
    key = Credentials.random()
    process = subprocess.Popen(
        [sys.executable, "-m", "local.warm_up_server", file],
        env={**os.environ, **MOTO_SETTINGS, **key.environment, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
    )
    try:
        eventually(lambda: file.is_file() or process.poll() is not None)
        yield Server(int(file.read_text().rsplit(":", 1)[1]), {"Authorization": key.authorization})
    finally:
        process.communicate(timeout=30)  # ends its input and thereby the server


# By module
SERVERS = {"web.py": "cloud_server", "warm_up_server.py": "warm_up_server", "runtime_api.py": "runtime_api"}


@pytest.fixture(params=SERVERS)
def server(request) -> Server:
    chosen: Server = request.getfixturevalue(SERVERS[request.param])
    return chosen


FROM_A_WEBSITE = {
    "preflight": ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "POST"}),
    "request of a page": ("POST", {"Origin": EVIL}),
    "request of a sandboxed page": ("POST", {"Origin": "null"}),
    "request of an object's own page": ("POST", {"Origin": "http://127.0.0.1"}),
    "image": ("GET", {"Sec-Fetch-Site": "cross-site"}),
    "image of another port": ("GET", {"Sec-Fetch-Site": "same-site"}),
    "image of its own": ("GET", {"Sec-Fetch-Site": "same-origin"}),
    "read by DNS rebinding": ("GET", {"Host": "evil.example"}),
    "write by DNS rebinding": ("POST", {"Host": "evil.example"}),
    "unknown method": ("PATCH", {"Origin": EVIL}),
}


def test_a_program_of_this_machine_is_answered(server):
    assert server.ask(server.method, server.path, server.key).status in {200, 202}


@pytest.mark.parametrize("attack", FROM_A_WEBSITE)
def test_a_website_is_refused_even_with_the_key(server, attack):
    method, headers = FROM_A_WEBSITE[attack]
    answer = server.ask(method, server.path, {**server.key, **headers})
    assert answer.is_refused, answer


def test_connections_of_another_user_are_closed(cloud_server):
    assert send_as_another_user(cloud_server.port, "GET / HTTP/1.1\r\nX: ") == ""  # an incomplete request


def test_the_body_of_a_refused_request_is_not_read_as_a_request(server):
    """A page chooses the body of its request and could hide a request without Origin in it."""
    path, host = server.path, f"HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    own = "".join(f"{header}: {value}\r\n" for header, value in server.key.items())
    hidden = f"{server.method} {path} {host}{own}Content-Length: 0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            f"POST {path} {host}Origin: {EVIL}\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}".encode()
        )
        answers = b"".join(iter(lambda: received(connection), b""))
    assert re.findall(rb"^HTTP/1.1 (\d+)", answers, re.MULTILINE) == [b"403"]


def received(connection: socket.socket) -> bytes:
    """Return the next data; nothing if the server has closed or reset the connection."""
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(65536)
    return b""


def test_every_module_that_serves_is_tested_above():
    serves = re.compile(
        r"make_server\(|HTTPServer|TCPServer|MotoServer|moto_server\(|create_server|start_server|\.listen\("
    )
    modules = {file.name for file in (REPOSITORY / "local").rglob("*.py") if serves.search(file.read_text())}
    # The cloud itself uses web.py; the server of peers.py answers nothing and is closed at once.
    assert modules == {*SERVERS, "server.py", "peers.py"}


def signed(key: str, target: str = "") -> dict[str, str]:
    scope = f"20260101/us-east-1/{'glue' if target else 's3'}/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature=0"}
    return {**headers, "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"} if target else headers


def form(**fields: str) -> tuple[dict[str, str], bytes]:
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return {"Content-Type": "multipart/form-data; boundary=x"}, f"{parts}--x--\r\n".encode()


JOB = {"Name": "evil", "Role": "r", "Command": {"Name": "pythonshell", "ScriptLocation": "s3://b/evil.py"}}
RUN = {"JobName": "exercise-shell"}
FORM_HEADERS, FORM = form(key="evil.py", file="import os")
OLD_FORM_HEADERS, OLD_FORM = form(key="evil.py", AWSAccessKeyId="local", policy="e30=", signature="0", file="import os")
JSON_HEADERS = {"X-Amz-Target": "AWSGlue.StartJobRun", "Content-Type": "application/x-amz-json-1.1"}
WEB_IDENTITY = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=r&RoleSessionName=s&WebIdentityToken=t"
OBJECT = "/LANDING/evil.py"
PRESIGNED = (
    f"{OBJECT}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=local%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
)
WITHOUT_THE_KEY: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "unsigned read": ("GET", "/LANDING", {}, b""),
    "unsigned write": ("PUT", OBJECT, {}, b"import os"),
    "form upload": ("POST", "/LANDING", FORM_HEADERS, FORM),
    "form upload with a policy": ("POST", "/LANDING", OLD_FORM_HEADERS, OLD_FORM),
    "presigned read": ("GET", PRESIGNED, {}, b""),
    "presigned write": ("PUT", PRESIGNED, {}, b"import os"),
    "presigned write, version 2": ("PUT", f"{OBJECT}?AWSAccessKeyId=local&Signature=x&Expires=9999999999", {}, b"x"),
    "wrong key": ("PUT", OBJECT, signed("local"), b"import os"),
    "key of a job": ("PUT", OBJECT, signed("job-shell"), b"import os"),
    "CreateJob": ("POST", "/", signed("local", "AWSGlue.CreateJob"), json.dumps(JOB).encode()),
    "StartJobRun": ("POST", "/", signed("local", "AWSGlue.StartJobRun"), json.dumps(RUN).encode()),
    "StartJobRun without a signature": ("POST", "/", JSON_HEADERS, json.dumps(RUN).encode()),
    "token of a web identity": ("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, WEB_IDENTITY),
    "moto's reset": ("POST", "/moto-api/reset", {}, b""),
    "moto's reset with a wrong key": ("POST", "/moto-api/reset", signed("local"), b""),
    "moto's settings": ("POST", "/moto-api/config", {"Content-Type": "application/json"}, b"{}"),
    "moto's data": ("GET", "/moto-api/data.json", {}, b""),
    "moto's page": ("GET", "/moto-api/", {}, b""),
    "metadata of an instance": ("GET", "/latest/meta-data/iam/security-credentials/role", {}, b""),
}


@pytest.mark.parametrize("origin", [{}, {"Origin": EVIL}], ids=["program", "website"])
@pytest.mark.parametrize("attack", WITHOUT_THE_KEY)
def test_without_the_key_nothing_is_read_or_changed(cloud, cloud_server, attack, origin):
    assert_refused(cloud, cloud_server, attack, origin)


@pytest.mark.parametrize("attack", ["form upload", "CreateJob", "StartJobRun", "moto's reset"])
def test_a_website_that_has_the_key_changes_nothing(cloud, cloud_server, attack):
    target = WITHOUT_THE_KEY[attack][2].get("X-Amz-Target", "")
    key = signed(cloud.aws.credentials.access_key_id, target)["Authorization"]
    assert_refused(cloud, cloud_server, attack, {"Authorization": key, "Origin": EVIL})


def assert_refused(cloud: Cloud, server: Server, attack: str, more_headers: dict[str, str]) -> None:
    method, path, headers, body = WITHOUT_THE_KEY[attack]
    before = state_of(cloud)
    answer = server.ask(method, path.replace("LANDING", cloud.outputs["Landing"]), {**headers, **more_headers}, body)
    assert answer.is_refused, answer
    assert state_of(cloud) == before


def state_of(cloud: Cloud) -> Any:
    """Return what the attacks would change."""
    glue, s3 = cloud.client("glue"), cloud.client("s3")
    return (
        [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        cloud.keys(),
        glue.list_jobs()["JobNames"],
        [run["Id"] for run in glue.get_job_runs(JobName=cloud.outputs["Shell"])["JobRuns"]],
    )


def test_a_presigned_url_of_the_right_key_can_be_read(cloud, cloud_server):
    s3 = cloud.client("s3")
    cloud.put("shared.txt", b"shared")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": cloud.outputs["Landing"], "Key": "shared.txt"})
    opened_by_a_user = {"Sec-Fetch-Site": "none"}
    answer = cloud_server.ask("GET", url.partition(str(cloud_server.port))[2], opened_by_a_user)
    assert (answer.status, answer.body) == (200, "shared")
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_the_key_is_in_no_command_line_and_only_in_private_files(cloud):
    run = cloud.run_job("Shell", mode="sleep", name="visible")
    cloud.object("Landing", "jobs/visible.pid")
    try:
        words = [word for process in find(cloud.state.marker) for word in process.cmdline()]
        assert words
        assert not [word for word in words if cloud.aws.credentials.access_key_id in word]
    finally:
        cloud.stop_job("Shell", run)
        cloud.ended_run("Shell", run)
    for file in (cloud.state.stack_file, cloud.state.server_file):
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_a_state_folder_is_created_for_its_owner_only(tmp_path):
    root = tmp_path / "created"
    assert command("down", "--state-dir", root).returncode == 0
    assert root.stat().st_mode & 0o777 == 0o700


def test_the_printed_environment_configures_any_sdk(cloud):
    script = 'eval "$("$0" -m local env --state-dir "$1")" && exec "$0" -c "$2"'
    program = "import boto3; print(boto3.client('s3').list_buckets()['Buckets'][0]['Name'])"
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, cloud.state.root, program],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "AWS_PROFILE": "of-the-user", "AWS_SESSION_TOKEN": "of-the-user"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == cloud.client("s3").list_buckets()["Buckets"][0]["Name"], done.stderr


def test_without_a_cloud_there_is_no_environment(tmp_path):
    result = command("env", "--state-dir", tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"no cloud is running for {tmp_path}" in result.stderr


def test_only_the_owner_can_read_what_the_cloud_writes(cloud, tmp_path):
    cloud.invoke("Behave", {})
    run = cloud.run_job("Shell")
    cloud.ended_run("Shell", run)
    links = {path for path in cloud.state.root.rglob("*") if path.is_symlink()}
    paths = [path for path in cloud.state.root.rglob("*") if not links & {path, *path.parents}]
    assert {cloud.state.log_file, cloud.state.calls_file, cloud.state.server_output} <= set(paths)
    assert list(cloud.state.glue.rglob(f"{run}.log"))
    assert [str(path) for path in paths if path.stat().st_mode & 0o077] == []
