"""Nothing is told to somebody who is not logged in to Airflow, and pages let no strange content in."""

import base64
import hashlib
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from music_streams_airflow.dashboard.app import create_app
from music_streams_airflow.dashboard.guard import Login, airflow_login

from tests.dashboard.conftest import nobody

_NAMED = {
    "source_id": "0" * 32,
    "run": "20261122T041500123Z",
    "name": "dashboard.css",
    "anything:path": "openapi.json",
}
ADDRESSES = [
    "/",
    "/files",
    "/files/" + "0" * 32,
    "/files/misspelt",
    "/files?status=misspelt",
    "/reconciliations/20261122T041500123Z",
    "/runs?dag=reconcile_streams&run=manual",
    "/static/dashboard.css",
    "/static/dashboard.js",
    "/static/chart.umd.min.js",
    "/openapi.json",
    "/docs",
    "/nowhere/at/all",
]


def no_stack() -> Any:
    raise AssertionError("the pipeline was asked for somebody who is not logged in")


def test_these_are_the_addresses_that_there_are():
    """What is added to the app is to be added to the list above."""
    paths = {getattr(route, "path", "") for route in create_app(Login(nobody), no_stack).routes}
    filled = {re.sub(r"\{([^}]*)\}", lambda match: _NAMED[match.group(1)], path) for path in paths}
    assert filled <= {address.partition("?")[0] for address in ADDRESSES}


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_answers_without_a_login(browse, address):
    page = browse(get_user=nobody, find_stack=no_stack).get(address, status=401)
    assert "Log in to Airflow first" in page.text
    assert any(link.startswith("/api/v2/auth/login?next=") for link in page.links)


def test_a_refused_user_reads_why(browse):
    def refuse() -> None:
        raise HTTPException(403, "Invalid JWT token")

    assert "Invalid JWT token" in browse(get_user=refuse).get("/", status=403).text


@pytest.mark.parametrize("address", ["/", "/files", "/nowhere", "/static/dashboard.js"])
def test_every_answer_forbids_what_is_not_its_own(browser, address):
    policy = browser.client.get(f"/music-streams{address}").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "vendor/chart.umd.min.js", "nothing.css"]
)
def test_no_other_file_is_handed_out(browser, name):
    assert browser.client.get(f"/music-streams/static/{name}").status_code == 404


def test_the_charts_are_served_from_here(browser):
    assert "Chart.js v4" in browser.client.get("/music-streams/static/chart.umd.min.js").text


@pytest.fixture
def airflow_of(monkeypatch):
    """An Airflow of some version, as far as its login goes: it knows one token."""

    async def by_token(token: str) -> str:
        if token != "good":
            raise HTTPException(403, "Invalid JWT token")
        return "operator"

    def installed(version: str) -> Any:
        security: Any = ModuleType("airflow.api_fastapi.core_api.security")
        security.get_user = by_token
        core_api: Any = ModuleType("airflow.api_fastapi.core_api")
        core_api.security = security
        airflow: Any = ModuleType("airflow")
        airflow.__version__ = version
        for module in (airflow, ModuleType("airflow.api_fastapi"), core_api, security):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return security

    return installed


@pytest.mark.parametrize("version", ["3.1.0", "3.3.2", "4.0.0rc1"])
def test_airflow_itself_tells_who_is_logged_in(airflow_of, version):
    security = airflow_of(version)
    assert airflow_login() == Login(security.get_user)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 401),
        ({"headers": {"Authorization": "Bearer good"}}, 200),
        ({"headers": {"Authorization": "Bearer bad"}}, 403),
        ({"headers": {"Cookie": "_token=good"}}, 200),
        ({"headers": {"Cookie": "_token=bad"}}, 403),
        ({"headers": {"Cookie": "_token=good", "Authorization": "Bearer bad"}}, 403),
    ],
)
def test_airflow_3_0_is_asked_about_header_or_cookie(airflow_of, sent, status):
    airflow_of("3.0.6")
    client = TestClient(create_app(airflow_login(), no_stack))
    assert client.get("/static/dashboard.css", **sent).status_code == status


def test_where_airflow_keeps_the_login_in_its_page_the_refusal_hands_it_on(airflow_of):
    airflow_of("3.0.6")
    outer = FastAPI()
    outer.mount("/music-streams", create_app(airflow_login(), no_stack))
    answer = TestClient(outer).get("/music-streams/")
    script = answer.text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert 'localStorage.getItem("token")' in script
    assert f"script-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert 'data-root="/music-streams"' in answer.text


def test_elsewhere_the_refusal_has_no_script(browse):
    answer = browse(get_user=nobody).client.get("/music-streams/")
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
