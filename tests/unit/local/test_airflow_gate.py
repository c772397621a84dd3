"""Only programs of this machine and Airflow's own pages can call the local Airflow."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from local_cloud_gate import Gate, refusal_reason

from local.airflow_home import GATE

PORT = 8080
EVIL = "http://evil.example"
OWN_HOSTS = (f"127.0.0.1:{PORT}", f"localhost:{PORT}")
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

ALLOWED: dict[str, tuple[str, dict[str, str]]] = {
    "read of a program": ("GET", {}),
    "write of a program": ("POST", {}),
    "typed address": ("GET", {**LINK, "Sec-Fetch-Site": "none"}),
    "link of a website": ("GET", LINK),
    "link of another server of this machine": ("GET", {**LINK, "Sec-Fetch-Site": "same-site"}),
    "read of its own page": ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}),
    "frame of its own page": ("GET", {**LINK, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}),
    "write of its own page": ("POST", {"Origin": "http://HOST", "Sec-Fetch-Site": "same-origin"}),
    "write of its own page in an old browser": ("POST", {"Origin": "http://HOST"}),
}
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "read by DNS rebinding": ("GET", {"Host": f"evil.example:{PORT}"}),
    "link by DNS rebinding": ("GET", {**LINK, "Host": f"evil.example:{PORT}"}),
    "write by DNS rebinding": ("POST", {"Host": f"evil.example:{PORT}", "Origin": f"{EVIL}:{PORT}"}),
    "name that begins like its own": ("GET", {"Host": f"127.0.0.1.evil.example:{PORT}"}),
    "another port": ("GET", {"Host": "127.0.0.1:4566"}),
    "no port": ("GET", {"Host": "localhost"}),
    "empty host": ("GET", {"Host": ""}),
    "write of a website": ("POST", {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}),
    "write of a website in an old browser": ("POST", {"Origin": EVIL}),
    "form of a website": ("POST", {**LINK, "Origin": EVIL}),
    "form of a website that hides its name": ("POST", {**LINK, "Origin": "null"}),
    "form without Origin": ("POST", LINK),
    "preflight": ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "POST"}),
    "page at another port": ("POST", {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}),
    "page at no port": ("POST", {"Origin": "http://127.0.0.1"}),
    "page over HTTPS": ("POST", {"Origin": "https://HOST"}),
    "image": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
    "image of another port": ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}),
    "frame": ("GET", {**LINK, "Sec-Fetch-Dest": "iframe"}),
    "document that is not navigated to": ("GET", {**LINK, "Sec-Fetch-Mode": "no-cors"}),
}


def as_asgi(host: str, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    given = {"Host": host, **{name: value.replace("HOST", host) for name, value in headers.items()}}
    return [(name.lower().encode(), value.encode()) for name, value in given.items()]


def sent(kind: str, headers: list[tuple[bytes, bytes]], method: str = "GET", path: str = "/") -> list[Any]:
    """Return what the server sends for a request; "passed on" if the application receives it."""
    messages: list[Any] = []

    async def inside(*_: object) -> None:
        messages.append("passed on")

    async def receive() -> Any:
        raise AssertionError("a request is refused by its headers")

    async def send(message: Any) -> None:
        messages.append(message)

    scope: dict[str, Any] = {"type": kind} if kind == "lifespan" else {"type": kind, "headers": headers}
    if kind == "http":
        scope |= {"method": method, "path": path}
    asyncio.run(Gate(inside, PORT)(scope, receive, send))
    return messages


@pytest.mark.parametrize("host", OWN_HOSTS)
@pytest.mark.parametrize("request_of", ALLOWED)
def test_programs_and_its_own_pages_reach_airflow(request_of, host):
    method, headers = ALLOWED[request_of]
    assert sent("http", as_asgi(host, headers), method) == ["passed on"]


@pytest.mark.parametrize("host", OWN_HOSTS)
@pytest.mark.parametrize("attack", REFUSED)
def test_a_website_is_refused(attack, host):
    method, headers = REFUSED[attack]
    start, body = sent("http", as_asgi(host, headers), method)
    assert start["status"] == 403
    assert {name for name, _ in start["headers"]} == {b"content-type", b"content-length"}
    assert set(json.loads(body["body"])) == {"detail"}


@pytest.mark.parametrize(
    "extra", [(b"host", b"evil.example:8080"), (b"host", b"127.0.0.1:8080"), (b"origin", EVIL.encode())]
)
def test_repeated_headers_and_a_missing_host_are_refused(extra):
    own = [(b"host", b"127.0.0.1:8080"), (b"origin", b"http://127.0.0.1:8080")]
    assert refusal_reason("POST", own, PORT) is None
    assert refusal_reason("POST", [*own, extra], PORT) is not None
    assert refusal_reason("POST", [extra, *own], PORT) is not None
    assert refusal_reason("GET", [], PORT) is not None  # without a host


def test_a_websocket_of_a_website_is_closed_and_lifespan_messages_pass():
    assert sent("lifespan", []) == ["passed on"]
    assert sent("websocket", as_asgi(OWN_HOSTS[0], {"Origin": f"http://{OWN_HOSTS[0]}"})) == ["passed on"]
    [closed] = sent("websocket", as_asgi(OWN_HOSTS[0], {"Origin": EVIL}))
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:80"])
def test_clients_may_omit_the_default_port(host):
    assert refusal_reason("POST", as_asgi(host, {"Origin": f"http://{host}"}), 80) is None


def test_airflow_finds_the_gate_by_its_entry_point(tmp_path):
    """Airflow is replaced by a stub, and the path has no other module of the local cloud."""
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").touch()
    (tmp_path / "airflow" / "plugins_manager.py").write_text("class AirflowPlugin: ...")
    (tmp_path / "airflow" / "configuration.py").write_text(
        "class conf:\n    def getint(section, key): return {('api', 'port'): 8123}[section, key]\n"
    )
    script = """
import json, sys
from importlib.metadata import entry_points
[found] = entry_points(group="airflow.plugins")
[middleware] = found.load().fastapi_root_middlewares
print(json.dumps([middleware["middleware"].__name__, middleware["kwargs"], "local" in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(GATE)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["Gate", {"port": 8123}, False]


@pytest.mark.parametrize("path", ["/logout", "/auth/logout", "/auth/logout/", "/api/v2/auth/logout"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_a_website_cannot_log_the_user_out(path, site):
    own, foreign = (as_asgi(OWN_HOSTS[0], {**LINK, "Sec-Fetch-Site": value}) for value in ("same-origin", site))
    assert sent("http", own, path=path) == ["passed on"]
    assert sent("http", as_asgi(OWN_HOSTS[0], {}), path=path) == ["passed on"]
    start, _ = sent("http", foreign, path=path)
    assert start["status"] == 403
