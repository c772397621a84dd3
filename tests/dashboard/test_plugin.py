"""What Airflow takes of the plug-in, with a stand-in for Airflow: the real one is not installed here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
_READ = """
import importlib, json, sys
plugin = importlib.import_module("music_streams_airflow.plugin").MusicStreamsPlugin
apps = [{**each, "app": type(each["app"]).__name__} for each in plugin.fastapi_apps]
heavy = sorted({"fastapi", "boto3", "jinja2", "music_streams", "music_streams_airflow.dashboard"} & set(sys.modules))
print(json.dumps({"apps": apps, "views": plugin.external_views, "heavy": heavy}))
"""


@pytest.fixture
def read(tmp_path):
    """What a process of an Airflow with that base_url finds in the plug-in."""

    def found(base_url: str = ""):
        airflow = tmp_path / "airflow"
        (airflow / "timetables").mkdir(parents=True)
        (airflow / "timetables" / "trigger.py").write_text("class CronTriggerTimetable: ...")
        (airflow / "plugins_manager.py").write_text("class AirflowPlugin: ...")
        configuration = f"class conf:\n    def get(section, key, fallback): return {base_url!r}\n"
        (airflow / "configuration.py").write_text(configuration)
        program, environment = [sys.executable, "-c", _READ], {"PYTHONPATH": f"{tmp_path}:{PLUGINS}"}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return found


def test_every_process_of_airflow_imports_little(read):
    assert read()["heavy"] == []


def test_airflow_mounts_the_app_and_shows_it(read):
    found = read()
    assert found["apps"] == [{"app": "Dashboard", "url_prefix": "/music-streams", "name": "Music streams"}]
    assert [(view["destination"], view["href"]) for view in found["views"]] == [
        ("nav", "/music-streams/"),
        ("dag_run", "/music-streams/runs?dag={DAG_ID}&run={RUN_ID}"),
    ]


def test_an_airflow_below_a_path_is_linked_there(read):
    assert read("https://example.org/airflow/")["views"][0]["href"] == "/airflow/music-streams/"


def test_airflow_leaves_the_dashboards_modules_alone():
    """It would put each under its bare name (`text`, `charts`) into sys.modules, over those of others."""
    assert "music_streams_airflow/dashboard/" in (PLUGINS / ".airflowignore").read_text().splitlines()
