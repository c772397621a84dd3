"""Loads a folder of DAGs as Airflow does, with the Python of an Airflow, and prints their properties as JSON."""

import json
import sys
from datetime import UTC, datetime

from airflow.timetables.base import TimeRestriction

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 3.0
    from airflow.models.dagbag import DagBag

HEAVY = ("boto3", "duckdb", "jinja2.loaders", "pyarrow", "pyiceberg")
LIGHT = {"music_streams", "music_streams.policy"}


def timetable(dag):
    """Return the next scheduled run, and the days of a backfill from 29 June to 1 July 2024."""
    first, last = (datetime(2024, month, day, tzinfo=UTC) for month, day in ((6, 29), (7, 1)))
    days, info = [], None
    backfilled = TimeRestriction(first, last, catchup=True)
    while info := dag.timetable.next_dagrun_info(
        last_automated_data_interval=info and info.data_interval, restriction=backfilled
    ):
        days.append(f"{info.logical_date:%Y-%m-%d}")
    scheduled = TimeRestriction(first, None, catchup=False)
    return [dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=scheduled), days]


def task(operator):
    return {
        "downstream": sorted(operator.downstream_task_ids),
        "trigger_rule": str(getattr(operator.trigger_rule, "value", operator.trigger_rule)),
        "is_mapped": operator.is_mapped,
        "map_index_template": getattr(operator, "map_index_template", None)
        or operator.partial_kwargs.get("map_index_template")
        if operator.is_mapped
        else None,
    }


def main(folder):
    before = set(sys.modules)
    bag = DagBag(folder)
    imported = {name.split(".")[0] for name in set(sys.modules) - before} | set(sys.modules) - before
    of_domain = {name for name in imported if name.split(".")[0] == "music_streams"}
    print(
        json.dumps(
            {
                "errors": bag.import_errors,
                "heavy": sorted({name for name in HEAVY if name in imported} | of_domain - LIGHT),
                "dags": {
                    dag.dag_id: {
                        "params": {name: dag.params[name] for name in dag.params},
                        "max_active_runs": dag.max_active_runs,
                        "catchup": dag.catchup,
                        "has_timeout": dag.dagrun_timeout is not None,
                        "has_deadline": bool(getattr(dag, "deadline", None)),
                        "doc": dag.doc_md,
                        "timetable": timetable(dag) if dag.dag_id == "backfill_streams" else None,
                        "tasks": {operator.task_id: task(operator) for operator in dag.tasks},
                    }
                    for dag in bag.dags.values()
                },
            },
            default=str,
        )
    )


main(sys.argv[1])
