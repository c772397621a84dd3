"""What Airflow registers of the plug-in, with a stand-in for Airflow, which is not installed here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
_READ = """
import importlib, json, sys
plugin = importlib.import_module("music_streams_airflow.plugin").MusicStreamsPlugin
apps = [{**app, "app": type(app["app"]).__name__} for app in plugin.fastapi_apps]
heavy = sorted({"fastapi", "boto3", "jinja2", "music_streams", "music_streams_airflow.dashboard"} & set(sys.modules))
print(json.dumps({"apps": apps, "views": plugin.external_views, "heavy": heavy}))
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that imports the plug-in in a process of an Airflow with a base_url."""

    def read_plugin(base_url: str = ""):
        airflow = tmp_path / "airflow"
        (airflow / "timetables").mkdir(parents=True)
        (airflow / "timetables" / "trigger.py").write_text("class CronTriggerTimetable: ...")
        (airflow / "plugins_manager.py").write_text("class AirflowPlugin: ...")
        configuration = f"class conf:\n    def get(section, key, fallback): return {base_url!r}\n"
        (airflow / "configuration.py").write_text(configuration)
        program, environment = [sys.executable, "-c", _READ], {"PYTHONPATH": f"{tmp_path}:{PLUGINS}"}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return read_plugin


def test_the_plugin_imports_the_dashboard_lazily(read):
    assert read()["heavy"] == []


def test_airflow_mounts_the_app_and_links_to_it(read):
    plugin = read()
    assert plugin["apps"] == [{"app": "Dashboard", "url_prefix": "/music-streams", "name": "Music streams"}]
    assert [(view["destination"], view["href"]) for view in plugin["views"]] == [
        ("nav", "/music-streams/"),
        ("dag_run", "/music-streams/runs?dag={DAG_ID}&run={RUN_ID}"),
    ]


def test_links_include_the_path_of_airflows_base_url(read):
    assert read("https://example.org/airflow/")["views"][0]["href"] == "/airflow/music-streams/"


def test_airflow_does_not_import_the_dashboards_modules():
    """It would put each into sys.modules under its bare name (`text`, `charts`), which others may have."""
    assert "music_streams_airflow/dashboard/" in (PLUGINS / ".airflowignore").read_text().splitlines()
