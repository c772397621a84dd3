"""How the pipeline is found, and the errors if there is none."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from music_streams.errors import NoPipeline
from music_streams.stack import find_stack

OUTPUTS = {"LandingBucketName": "landing"}


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An address with a listener."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def record(folder, endpoint: str) -> dict[str, str]:
    """Write a state folder like the local cloud; return the environment that names it."""
    key = {"access_key_id": "key", "secret_access_key": "secret"}
    folder.joinpath("stack.json").write_text(
        json.dumps({"endpoint": endpoint, "region": "us-east-1", **key, "outputs": OUTPUTS})
    )
    return {"LOCAL_CLOUD_STATE": str(folder)}


def test_the_local_cloud_is_found_by_its_state_folder_and_the_environment_stays(tmp_path, endpoint):
    before = dict(os.environ)
    stack = find_stack(environment=record(tmp_path, endpoint))
    assert (stack.is_local, stack.endpoint, stack.landing_bucket) == (True, endpoint, "landing")
    assert stack.s3.meta.endpoint_url == endpoint
    credentials: Any = stack.session.get_credentials()
    assert (credentials.access_key, credentials.secret_key) == ("key", "secret")
    assert dict(os.environ) == before


@pytest.mark.parametrize("spelling", ["{}", "{}/", "localhost"])
def test_the_endpoint_of_the_local_cloud_in_the_environment_selects_it(tmp_path, endpoint, spelling):
    same = endpoint.replace("127.0.0.1", "localhost") if spelling == "localhost" else spelling.format(endpoint)
    assert find_stack(environment=record(tmp_path, endpoint) | {"AWS_ENDPOINT_URL": same}).is_local


def test_no_pipeline_lists_every_place_searched_and_the_next_steps(tmp_path):
    with pytest.raises(NoPipeline) as raised:
        find_stack(environment={"LOCAL_CLOUD_STATE": str(tmp_path)})
    lines = "\n".join([*raised.value.details, *raised.value.next_steps])
    for place in ("MUSIC_STREAMS_STACK", "AWS_ENDPOINT_URL", f"there is no {tmp_path}/stack.json", "music-streams up"):
        assert place in lines


def test_a_stopped_cloud_is_reported(tmp_path, endpoint):
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(NoPipeline) as raised:
        find_stack(environment=record(tmp_path, gone))
    assert any(f"{gone}, where nothing listens" in line for line in raised.value.details)


LOCALHOST = "0100007F" if sys.byteorder == "little" else "7F000001"


@pytest.mark.parametrize(("uid", "is_found"), [(os.geteuid() + 1, False), (os.geteuid(), True)], ids=["other", "own"])
@pytest.mark.parametrize("address", [LOCALHOST, "0" * 8, f"{'0' * 16}FFFF0000{LOCALHOST}", "0" * 32])
def test_another_users_program_at_the_port_of_a_stopped_cloud_is_not_used(
    tmp_path, endpoint, monkeypatch, address, uid, is_found
):
    """That program would receive the uploaded files, and its answers would be trusted."""
    local = f"{address}:{int(endpoint.rsplit(':', 1)[1]):04X}"
    table = tmp_path / ("tcp" if len(address) == 8 else "tcp6")
    table.write_text(f"  sl  local\n   0: {local} 00000000:0000 0A 0:0 00:0 0  {uid}        0 101 1 0 100 0 0 10 0\n")
    monkeypatch.setattr("music_streams.stack._SOCKETS", tmp_path / "tcp")
    if is_found:
        assert find_stack(environment=record(tmp_path, endpoint)).is_local
        return
    with pytest.raises(NoPipeline) as raised:
        find_stack(environment=record(tmp_path, endpoint))
    assert any(f"{endpoint}, where another user's program listens" in line for line in raised.value.details)


def test_an_incomplete_record_is_an_error_without_a_traceback(tmp_path):
    tmp_path.joinpath("stack.json").write_text('{"endpoint": "http')
    with pytest.raises(NoPipeline) as raised:
        find_stack(environment={"LOCAL_CLOUD_STATE": str(tmp_path)})
    assert any("cannot be read" in line for line in raised.value.details)


def test_without_a_pipeline_every_command_exits_with_3_and_a_next_step(run, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x")
    for args in (["put", file], ["status"], ["show", "x"], ["demo"], ["metrics", "day"], ["logs"]):
        ended = run(*args)
        assert ended.exit_code == 3, args
        assert ended.stderr.startswith("error: "), args
        assert "music-streams up" in ended.stderr, args
        assert ended.stdout == "", args


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"AWS_ENDPOINT_URL": "garbage", "AWS_DEFAULT_REGION": "eu-west-1"}, "Invalid endpoint: garbage"),
        ({"MUSIC_STREAMS_STACK": "some"}, "no AWS region is set"),
        ({"MUSIC_STREAMS_STACK": "some", "AWS_PROFILE": "no-such-profile"}, "no-such-profile"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x"},
            "access denied or no answer",
        ),
    ],
)
def test_invalid_settings_are_reported_without_a_traceback(run, monkeypatch, settings, words):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    ended = run("status")
    assert ended.exit_code == 3
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr


def test_a_missing_output_of_a_later_version_is_reported(tmp_path, endpoint):
    stack = find_stack(environment=record(tmp_path, endpoint))
    assert stack.output("LandingBucketName") == "landing"
    with pytest.raises(NoPipeline, match="has no output ArrivalsQueueUrl: it was deployed from an earlier version"):
        stack.output("ArrivalsQueueUrl")
