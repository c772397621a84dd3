"""Pages need a login and read access to the DAG, and load no content from elsewhere."""

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from music_streams_airflow.dashboard.app import create_app
from music_streams_airflow.dashboard.guard import Login, airflow_login

from tests.dashboard.conftest import not_logged_in
from tests.dashboard.page import Page

ROOT = Path(__file__).parents[2]

_NAMED = {"source_id": "0" * 32, "run": "20261122T041500123Z", "name": "dashboard.css", "anything:path": "openapi.json"}
ADDRESSES = [
    *("/", "/files", "/files/" + "0" * 32, "/files/misspelt", "/files?status=misspelt"),
    *("/reconciliations/20261122T041500123Z", "/runs?dag=reconcile_streams&run=manual"),
    *("/static/dashboard.css", "/static/dashboard.js", "/static/chart.umd.min.js"),
    *("/openapi.json", "/docs", "/nowhere/at/all"),
]


def no_stack() -> Any:
    raise AssertionError("the pipeline was read for an unauthorized request")


def test_the_list_of_addresses_is_complete():
    paths = {getattr(route, "path", "") for route in create_app(Login(not_logged_in), no_stack).routes}
    filled = {re.sub(r"\{([^}]*)\}", lambda match: _NAMED[match.group(1)], path) for path in paths}
    assert filled <= {address.partition("?")[0] for address in ADDRESSES}


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_needs_a_login(browse, address):
    page = browse(get_user=not_logged_in, find_stack=no_stack).get(address, status=401)
    assert "Log in to Airflow" in page.text
    assert any(link.startswith("/api/v2/auth/login?next=") for link in page.links)


def test_a_rejected_user_sees_the_reason(browse):
    def reject() -> None:
        raise HTTPException(403, "Invalid JWT token")

    assert "Invalid JWT token" in browse(get_user=reject).get("/", status=403).text


@pytest.mark.parametrize("address", ["/", "/files", "/nowhere", "/static/dashboard.js"])
def test_every_response_forbids_content_of_other_hosts(browser, address):
    policy = browser.client.get(f"/music-streams{address}").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "vendor/chart.umd.min.js", "nothing.css"]
)
def test_no_other_file_is_served(browser, name):
    assert browser.client.get(f"/music-streams/static/{name}").status_code == 404


def test_the_chart_library_is_served_locally(browser):
    assert "Chart.js v4" in browser.client.get("/music-streams/static/chart.umd.min.js").text


class AuthManager:
    """Lets one user read one DAG, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def is_authorized_dag(self, *, method: str, details: Any, user: str) -> bool:
        self.requests.append(details)
        return (method, details["id"], user) == ("GET", "reconcile_streams", "operator")


@pytest.fixture
def airflow_of(monkeypatch):
    """Stand-in for the login of an Airflow of a version, with two tokens: of a reader and of another user."""
    users = {"good": "operator", "other": "other"}

    async def by_token(token: str) -> str:
        if token not in users:
            raise HTTPException(403, "Invalid JWT token")
        return users[token]

    async def by_request(request: Request) -> str:
        return await by_token(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def installed(version: str, *, has_teams: bool = False) -> AuthManager:
        manager = AuthManager()
        contents: dict[str, dict[str, Any]] = {
            "airflow": {"__version__": version},
            "airflow.api_fastapi": {},
            "airflow.api_fastapi.app": {"get_auth_manager": lambda: manager},
            "airflow.api_fastapi.auth.managers.models.resource_details": {"DagDetails": dict},
            "airflow.api_fastapi.core_api": {},
            "airflow.api_fastapi.core_api.security": {"get_user": by_token if version < "3.1" else by_request},
            "airflow.configuration": {"conf": SimpleNamespace(getboolean=lambda *_, **__: has_teams)},
            "airflow.models": {"DagModel": SimpleNamespace(get_team_name=lambda dag_id: f"team of {dag_id}")},
        }
        for name, content in contents.items():
            module = ModuleType(name)
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, name, module)
        sys.modules["airflow.api_fastapi.core_api"].security = sys.modules["airflow.api_fastapi.core_api.security"]  # type: ignore[attr-defined]
        return manager

    return installed


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def inside(page: str, tag: str) -> str:
    return page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def digest(page: str, tag: str) -> str:
    """Return the hash by which a content security policy allows the content of a tag."""
    return "sha256-" + base64.b64encode(hashlib.sha256(inside(page, tag).encode()).digest()).decode()


@pytest.mark.parametrize("version", ["3.0.6", "3.3.2"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_needs_read_access_to_the_dag(airflow_of, version, address):
    airflow_of(version)
    answer = TestClient(create_app(airflow_login(), no_stack)).get(address, headers=bearer("other"))
    page = Page(answer.text)
    assert answer.status_code == 403
    assert "no read access to the DAG reconcile_streams" in page.text
    assert not page.all("script")
    assert not [link for link in page.links if "login" in link]
    assert f"style-src '{digest(answer.text, 'style')}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("version", ["3.1.0", "3.3.2", "4.0.0rc1"])
def test_airflow_authenticates_the_user(airflow_of, version):
    airflow_of(version)
    client = TestClient(create_app(airflow_login(), no_stack))
    assert client.get("/static/dashboard.css", headers=bearer("good")).status_code == 200
    answer = client.get("/static/dashboard.css", headers=bearer("bad"))
    assert (answer.status_code, "Invalid JWT token" in answer.text) == (403, True)


@pytest.mark.parametrize(("has_teams", "team"), [(False, {}), (True, {"team_name": "team of reconcile_streams"})])
def test_authorization_includes_the_team_of_the_dag_if_airflow_has_teams(airflow_of, has_teams, team):
    manager = airflow_of("3.3.2", has_teams=has_teams)
    TestClient(create_app(airflow_login(), no_stack)).get("/static/dashboard.css", headers=bearer("good"))
    assert manager.requests == [{"id": "reconcile_streams", **team}]


PYTHONS = {name: ROOT / ".build" / "tools" / name / "bin" / "python" for name in ("airflow", "airflow-oldest")}
ALLOWED = {"/": 503, "/static/dashboard.css": 200}  # there is no pipeline


@pytest.mark.parametrize("name", PYTHONS)
def test_users_of_a_real_airflow_have_access_by_their_role(name, tmp_path):
    if not PYTHONS[name].exists():
        pytest.skip(f"{name} is not installed: make {PYTHONS[name].parents[1].relative_to(ROOT)}/ready")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__API_AUTH__JWT_ISSUER": "tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
    }
    script = Path(__file__).with_name("ask_airflow.py")
    program: list[Any] = [PYTHONS[name], script, json.dumps(list(ALLOWED))]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    for role in ("viewer", "user", "op", "admin"):
        assert result["answers"][role] == {"Authorization": ALLOWED, "Cookie": ALLOWED}, role
    assert {status for statuses in result["answers"]["none"].values() for status in statuses.values()} == {403}
    assert "no read access to the DAG reconcile_streams" in result["page"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer("good"), 200),
        (bearer("bad"), 403),
        (bearer("other"), 403),
        ({"Cookie": "_token=other"}, 403),
        ({"Cookie": "_token=good"}, 200),
        ({"Cookie": "_token=bad"}, 403),
        ({"Cookie": "_token=good", **bearer("bad")}, 403),
    ],
)
def test_airflow_3_0_accepts_header_or_cookie(airflow_of, headers, status):
    airflow_of("3.0.6")
    client = TestClient(create_app(airflow_login(), no_stack))
    assert client.get("/static/dashboard.css", headers=headers).status_code == status


def test_login_page_stores_the_token_in_a_cookie_if_airflow_does_not(airflow_of):
    airflow_of("3.0.6")
    outer = FastAPI()
    outer.mount("/music-streams", create_app(airflow_login(), no_stack))
    answer = TestClient(outer).get("/music-streams/")
    assert 'localStorage.getItem("token")' in inside(answer.text, "script")
    assert f"script-src '{digest(answer.text, 'script')}'" in answer.headers["Content-Security-Policy"]
    assert 'data-root="/music-streams"' in answer.text


def test_login_page_has_no_script_if_airflow_sets_the_cookie(browse):
    answer = browse(get_user=not_logged_in).client.get("/music-streams/")
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
