"""The DAGs load fast, with the expected properties, on the Airflow that the project runs and the oldest supported."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = {name: ROOT / ".build" / "tools" / name / "bin" / "python" for name in ("airflow", "airflow-oldest")}


@pytest.fixture(scope="module", params=PYTHONS)
def found(request, tmp_path_factory):
    """Return the properties of the DAGs that an Airflow loads."""
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


def test_every_dag_has_a_description_and_a_timeout(found):
    for dag in found["dags"].values():
        assert dag["doc"]
        assert dag["has_timeout"]
        assert not dag["catchup"]


def test_a_reconciliation_inspects_before_and_after_its_repairs(found):
    tasks = found["dags"]["reconcile_streams"]["tasks"]
    order = ["wait_until_settled"]
    while following := tasks[order[-1]]["downstream"]:
        # Some tasks also pass their result to later ones.
        order.append("repair" if "repair" in following else following[0])
    assert order == ["wait_until_settled", "take_stock", "plan", "repair", "wait_for_repairs", "verify", "verdict"]


def test_repairs_are_tasks_that_the_grid_names(found):
    repair = found["dags"]["reconcile_streams"]["tasks"]["repair"]
    assert repair["is_mapped"]
    assert repair["map_index_template"] == "{{ name }}"


def test_the_verdict_runs_even_if_no_repair_does(found):
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


def test_days_of_a_backfill_run_concurrently_up_to_a_limit(found):
    dag = found["dags"]["backfill_streams"]
    assert 1 < dag["max_active_runs"] <= 8
    assert dag["params"] == {"day": None}


def test_no_day_is_backfilled_without_a_request(found):
    next_scheduled, days_of_a_backfill = found["dags"]["backfill_streams"]["timetable"]
    assert next_scheduled is None
    assert days_of_a_backfill == ["2024-06-29", "2024-06-30", "2024-07-01"]


def test_the_reconciler_has_a_deadline_if_airflow_supports_it(found, request):
    is_oldest = "airflow-oldest" in request.node.name
    assert found["dags"]["reconcile_streams"]["has_deadline"] is not is_oldest
