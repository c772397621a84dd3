"""The DAGs load on the Airflow that the project runs and on the oldest that it supports: cheaply, and as meant."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = {name: ROOT / ".build" / "tools" / name / "bin" / "python" for name in ("airflow", "airflow-oldest")}


@pytest.fixture(scope="module", params=PYTHONS)
def found(request, tmp_path_factory):
    """What an Airflow finds in the folder of DAGs."""
    python = PYTHONS[request.param]
    if not python.exists():
        pytest.skip(f"{request.param} is not installed: make {python.parents[1].relative_to(ROOT)}/ready")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp(request.param)),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
    }
    script = Path(__file__).with_name("describe.py")
    printed = subprocess.run(
        [python, script, ROOT / "dags"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return json.loads(printed.strip().splitlines()[-1])


def test_every_file_is_a_dag_and_none_fails_to_load(found):
    assert found["errors"] == {}
    assert set(found["dags"]) == {path.stem for path in (ROOT / "dags").glob("*.py")}


def test_loading_imports_nothing_that_only_running_needs(found):
    assert found["heavy"] == []


def test_every_dag_says_what_it_does_and_ends_in_time(found):
    for dag in found["dags"].values():
        assert dag["doc"]
        assert dag["has_timeout"]
        assert not dag["catchup"]


def test_a_reconciliation_looks_before_and_after_it_repairs(found):
    tasks = found["dags"]["reconcile_streams"]["tasks"]
    way = ["wait_until_settled"]
    while following := tasks[way[-1]]["downstream"]:
        # Some also hand on what they answer to later ones.
        way.append("repair" if "repair" in following else following[0])
    assert way == ["wait_until_settled", "take_stock", "plan", "repair", "wait_for_repairs", "verify", "verdict"]


def test_repairs_are_tasks_that_the_grid_names(found):
    repair = found["dags"]["reconcile_streams"]["tasks"]["repair"]
    assert repair["is_mapped"]
    assert repair["map_index_template"] == "{{ name }}"


def test_where_nothing_is_repaired_the_verdict_comes_all_the_same(found):
    tasks = found["dags"]["reconcile_streams"]["tasks"]
    for name in ("wait_for_repairs", "verify", "verdict"):
        assert tasks[name]["trigger_rule"] == "none_failed"


def test_one_reconciliation_runs_at_a_time_with_these_parameters(found):
    dag = found["dags"]["reconcile_streams"]
    assert dag["max_active_runs"] == 1
    assert dag["params"] == {
        "day": None,
        "dry_run": False,
        "redrive": True,
        "max_redrive": None,
        "prefix": "",
        "grace_seconds": None,
    }


def test_days_of_a_backfill_run_side_by_side_within_a_bound(found):
    dag = found["dags"]["backfill_streams"]
    assert 1 < dag["max_active_runs"] <= 8
    assert dag["params"] == {"day": None}


def test_no_day_is_run_again_unless_somebody_asks(found):
    next_by_itself, days_of_a_backfill = found["dags"]["backfill_streams"]["timetable"]
    assert next_by_itself is None
    assert days_of_a_backfill == ["2024-06-29", "2024-06-30", "2024-07-01"]


def test_the_reconciler_itself_is_watched_where_airflow_can(found, request):
    is_oldest = "airflow-oldest" in request.node.name
    assert found["dags"]["reconcile_streams"]["has_deadline"] is not is_oldest
