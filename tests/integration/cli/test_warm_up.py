"""The warm-up archives the classes that the Spark job of the pipeline loads."""

import os
import subprocess
import sys

import pytest

from local.spark import installed_spark, jars_folder
from music_streams_cli import local_cloud
from tests.e2e.conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_warm_up_runs_the_transform_and_leaves_an_archive(tmp_path, monkeypatch):
    jars, state = jars_folder(), tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("LOCAL_CLOUD_JARS", str(jars))
    monkeypatch.setenv("LOCAL_CLOUD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCAL_CLOUD_WARM_UP", str(local_cloud.WARM_UP))
    (tmp_path / "cache").mkdir()
    assert not installed_spark().archive
    command = [sys.executable, "-m", "local.spark_archive", str(state)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert "classes are archived" in (state / "cloud.log").read_text()
    assert len(installed_spark().archive) == 2
