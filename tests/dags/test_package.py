"""The package of `make package` for managed Airflow is complete: it works on the oldest Airflow that is supported."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy.package import package
from tests.dags.test_dags import PYTHONS, ROOT

PYTHON = PYTHONS["airflow-oldest"]
PLUGINS = """
import json
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
plugins_manager.initialize_fastapi_plugins()
print(json.dumps({
    "errors": plugins_manager.import_errors,
    "apps": [app["url_prefix"] for app in plugins_manager.fastapi_apps],
    "imported": sorted(__import__("sys").modules),
}))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """Unpack the package as managed Airflow does: dags/ and plugins/."""
    if not PYTHON.exists():
        pytest.skip(f"it is not installed: make {PYTHON.parents[1].relative_to(ROOT)}/ready")
    folder = tmp_path_factory.mktemp("package")
    built = folder / "airflow" / package("airflow", ROOT, folder)
    zipfile.ZipFile(built / "plugins.zip").extractall(built / "plugins")
    return built


def output_of(unpacked: Path, home: Path, *arguments: str | Path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(unpacked / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([PYTHON, *arguments], cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_dag_loads(unpacked, tmp_path):
    found = output_of(unpacked, tmp_path, Path(__file__).with_name("describe.py"), unpacked / "dags")
    assert found["errors"] == {}
    assert set(found["dags"]) == {path.stem for path in (ROOT / "dags").glob("*.py")}


def test_the_dashboard_is_the_only_mounted_plugin(unpacked, tmp_path):
    found = output_of(unpacked, tmp_path, "-c", PLUGINS)
    assert found["errors"] == {}
    assert found["apps"] == ["/music-streams"]
    assert not {"music_streams.state.ledger", "ledger"} & set(found["imported"])


def test_the_package_imports_with_airflows_requirements_only(unpacked, tmp_path):
    script = (
        "import json, airflow.settings\n"
        "from music_streams.reconcile import reconciler, report_drafts\n"
        "from music_streams_airflow.dashboard import app\n"
        "print(json.dumps([reconciler.__file__, report_drafts.__file__, app.__file__]))"
    )
    for file in output_of(
        unpacked, tmp_path, "-c", f"import sys; sys.path.append({str(unpacked / 'plugins')!r})\n{script}"
    ):
        assert Path(file).is_relative_to(unpacked)
