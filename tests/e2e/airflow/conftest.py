"""One Airflow with the DAGs and plug-ins of this checkout, with its own local cloud."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.airflow_home import AirflowHome
from local.state import StateDir
from music_streams.stack import Stack, find_stack
from tests.e2e.airflow.airflow_api import Airflow
from tests.e2e.conftest import ROOT, running_cloud

PYTHON = ROOT / ".build" / "tools" / "airflow" / "bin" / "python"


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_airflow(
    state: Path, port: int, dags: Path, plugins: Path, pythonpath: Path
) -> subprocess.CompletedProcess[str]:
    """Run `python -m local airflow` for the running cloud of a state folder; `down` of the cloud stops it."""
    command = [sys.executable, "-m", "local", "airflow", f"--state-dir={state}", f"--python={PYTHON}", f"--port={port}"]
    command += [f"--dags={dags}", f"--plugins={plugins}", f"--pythonpath={pythonpath}"]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.fixture(scope="package")
def airflow_cloud(tmp_path_factory) -> Iterator[Path]:
    """Start the cloud of the Airflow tests; yield its state folder."""
    with running_cloud(tmp_path_factory.mktemp("airflow")) as state:
        yield state


@pytest.fixture(scope="package")
def stack(airflow_cloud) -> Stack:
    return find_stack(environment={"LOCAL_CLOUD_STATE": str(airflow_cloud)})


@pytest.fixture(scope="package")
def airflow(airflow_cloud, tmp_path_factory) -> Airflow:
    """Start the Airflow that the tests share. Its reconciler has no schedule: tests trigger it."""
    port = free_port()
    dags = tmp_path_factory.mktemp("airflow-dags") / "dags"
    shutil.copytree(ROOT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    reconciler = dags / "reconcile_streams.py"
    scheduled = 'schedule=f"*/{policy.RECONCILE_EVERY_MINUTES} * * * *"'
    assert reconciler.read_text().count(scheduled) == 1
    reconciler.write_text(reconciler.read_text().replace(scheduled, "schedule=None"))
    started = start_airflow(airflow_cloud, port, dags, ROOT / "plugins", ROOT)
    assert started.returncode == 0, started.stdout + started.stderr
    return Airflow(f"http://127.0.0.1:{port}", AirflowHome(StateDir(airflow_cloud)).password)
