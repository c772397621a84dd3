"""The dashboard of a pipeline on moto, with requests as a browser sends them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from music_streams_airflow.dashboard.app import create_app
from music_streams_airflow.dashboard.guard import Login

from music_streams import clock
from music_streams.reconcile.reports import Reports
from music_streams.stack import Stack, find_stack
from music_streams.state.sources import Source
from tests.dashboard.page import Page
from tests.integration.cli.conftest import put_entry, stack_in_process

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
TODAY = "2026-11-22"


def ago(minutes: float) -> str:
    """Return the timestamp of so many minutes before the tests' current time."""
    return clock.timestamp(NOW - timedelta(minutes=minutes))


def logged_in() -> str:
    return "operator"


def not_logged_in() -> None:
    raise HTTPException(401, "Not authenticated")


@dataclass
class Pipeline:
    """A pipeline, and the AWS operations that its pages call."""

    stack: Stack
    operations: list[str] = field(default_factory=list)

    @property
    def reports(self) -> Reports:
        return Reports(self.stack.s3, self.stack.lake_bucket)

    def land(self, key: str) -> Source:
        """Put a file into the bucket, without a ledger entry."""
        version = self.stack.s3.put_object(Bucket="landing", Key=key, Body=b"rows")["VersionId"]
        return Source("landing", key, version, 4, ago(1))

    def put(self, key: str, status: str, arrived: str, **more: Any) -> Source:
        """Add a ledger entry of a file."""
        source = Source("landing", key, f"version of {key[-20:]}", 1_234, arrived)
        put_entry(self.stack, source, **({"status": status, "updated_at": arrived} | more))
        return source


@dataclass
class Browser:
    """Requests pages below /music-streams."""

    client: TestClient

    def get(self, address: str, status: int = 200) -> Page:
        response = self.client.get(address if address.startswith("/music-streams") else f"/music-streams{address}")
        assert response.status_code == status, f"{address}: {response.status_code}\n{response.text[:2000]}"
        return Page(response.text)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with stack_in_process() as stack:
        yield Pipeline(stack)


@pytest.fixture
def browse(pipeline) -> Callable[..., Browser]:
    """Return a function that opens a browser, by default for a logged-in user."""

    def note(model: Any, **_: Any) -> None:
        pipeline.operations.append(model.name)

    def find() -> Stack:
        stack = find_stack()
        stack.session.events.register("before-call", note)
        return stack

    def opened(get_user: Callable[..., Any] = logged_in, find_stack: Callable[[], Stack] = find) -> Browser:
        outer = FastAPI()
        outer.mount("/music-streams", create_app(Login(get_user), find_stack, lambda: NOW))
        return Browser(TestClient(outer))

    return opened


@pytest.fixture
def browser(browse) -> Browser:
    return browse()
