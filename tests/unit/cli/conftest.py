"""Commands in the test process, without the settings of the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from music_streams_cli.app import app

Run = Callable[..., Any]
SETTINGS = (
    *("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID"),
    *("AWS_SECRET_ACCESS_KEY", "MUSIC_STREAMS_STACK", "FORCE_COLOR"),
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCAL_CLOUD_STATE", str(tmp_path / "cloud"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def run() -> Run:
    """Run a command line; returns its exit code, stdout and stderr."""
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args], prog_name="music-streams")


@pytest.fixture
def golden() -> Path:
    return Path(__file__).parent / "golden"
