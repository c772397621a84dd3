import json
import os
import shutil
import signal
import socket

import psutil
import pytest

from local.processes import find
from tests.integration.local.clouds import STACK, Cloud, command, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path):
    """The state folder of a cloud that the test may start; it is stopped at the end."""
    yield tmp_path / "state"
    result = command("down", "--state-dir", tmp_path / "state")
    assert result.returncode == 0, result.stderr


def test_a_cloud_starts_updates_restarts_and_stops(root, tmp_path):
    (tmp_path / "files" / "deep").mkdir(parents=True)
    (tmp_path / "files" / "deep" / "a.txt").write_text("a")
    cloud = Cloud.up(root, STACK, "--upload", f"{tmp_path / 'files'}=s3://uploaded/prefix")
    assert cloud.client("s3").get_object(Bucket="uploaded", Key="prefix/deep/a.txt")["Body"].read() == b"a"
    assert cloud.outputs["Landing"] == "exercise-landing-123456789012"
    cloud.put("kept")
    first = cloud.state.live_server()

    # A second `up` updates: the same server, the same data, the new template.
    changed = tmp_path / "changed"
    shutil.copytree(STACK.parent, changed)
    (changed / "built" / "source.py").write_text("def handler(event, context):\n    return 'changed'\n")
    text = (changed / "template.yaml").read_text()
    start, end = text.index("  Work:\n"), text.index("  # A function that behaves")
    text = (text[:start] + text[end:]).replace("  WorkUrl: {Value: !Ref Work}\n", "")
    (changed / "template.yaml").write_text(text)
    updated = command("up", "--state-dir", root, "--template", changed / "template.yaml")
    assert updated.returncode == 0, updated.stderr
    assert "exercise is updated" in updated.stdout
    assert "no longer in the template, kept until `up --fresh`: Slow, SlowRole, SlowWork, Work" in updated.stdout
    cloud = Cloud(root)
    assert first is not None
    assert cloud.state.live_server() == first
    assert cloud.aws.credentials == first.credentials
    assert cloud.keys() == ["kept"]
    assert cloud.invoke("Built", {}) == ("changed", None)

    # If the server is killed, its processes end, and the next `up` starts empty.
    cloud.invoke("Behave", {})
    assert len(find(cloud.state.marker)) >= 3
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not find(cloud.state.marker))
    again = Cloud.up(root, STACK)
    assert again.keys() == []
    first_key, second_key = first.credentials, again.aws.credentials
    assert first_key.access_key_id != second_key.access_key_id
    assert first_key.secret_access_key != second_key.secret_access_key

    # `--fresh` starts empty.
    again.put("gone soon")
    fresh = Cloud.up(root, STACK, "--fresh")
    assert fresh.keys() == []

    # `down` leaves no process, not even a running job.
    fresh.run_job("Shell", mode="sleep", name="left")
    pid = fresh.object("Landing", "jobs/left.pid")
    stopped = command("down", "--state-dir", root)
    assert stopped.returncode == 0
    assert "none is left" in stopped.stdout
    assert find(fresh.state.marker) == []
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not fresh.state.stack_file.exists()
    assert command("down", "--state-dir", root).stdout.startswith("nothing is running")


def test_a_port_in_use_is_one_line(root):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = command("up", "--state-dir", root, "--template", STACK, "--port", str(port))
    assert result.returncode == 1
    assert result.stderr == f"error: port {port} is in use: choose another with --port, or omit it to get a free one\n"


def test_errors_are_one_line(root, tmp_path):
    for arguments, message in (
        (("up", "--template", tmp_path / "none.yaml"), "no template at"),
        (("up", "--template", STACK, "--upload", "somewhere"), "write DIR=s3://bucket/prefix"),
        (("up", "--template", STACK, "--parameter", "Unheard=1"), "the template has no parameter Unheard"),
        (("logs",), "start the cloud with `python -m local up`"),
    ):
        result = command(*arguments, "--state-dir", root)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_the_state_folder_can_come_from_the_environment(root):
    assert command("down", LOCAL_CLOUD_STATE=str(root)).stdout == f"nothing is running for {root}\n"


def test_logs_of_one_part(cloud):
    cloud.invoke("Behave", {})
    lines = command("logs", "--part", "lambda", "--state-dir", cloud.state.root).stdout.splitlines()
    assert lines
    assert {line.split()[1].split("/")[0] for line in lines} == {"lambda"}
    assert json.loads(cloud.state.stack_file.read_text())["endpoint"].startswith("http://127.0.0.1:")
