"""Maintenance keeps snapshots in use: its retention against the timeouts of their users, and docs/maintenance.md."""

import re
from datetime import timedelta
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from music_streams import policy
from music_streams.maintain import tables
from music_streams.run.job_runs import _LONGEST_RUN
from music_streams.transform.spark.lake import MAX_EXECUTION_AGE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "maintenance.md").read_text()
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
MACHINE = yaml_parse((ROOT / "statemachine" / "process_streams.asl.yaml").read_text())


def timeout_of(job: str) -> timedelta:
    return timedelta(minutes=TEMPLATE["Resources"][job]["Properties"]["Timeout"])


def test_an_execution_and_its_job_runs_end_before_their_snapshots_expire():
    longest = timedelta(seconds=MACHINE["TimeoutSeconds"]) + timeout_of("TransformJob")
    assert longest == timedelta(hours=9)
    assert longest < MAX_EXECUTION_AGE < tables.SNAPSHOT_RETENTION


def test_no_reader_uses_a_snapshot_for_half_of_its_retention():
    dags = "".join(path.read_text() for path in (ROOT / "dags").glob("*.py"))
    timeouts = re.findall(r"dagrun_timeout=timedelta\((\w+)=policy\.(\w+)\)", dags)
    longest = [timedelta(**{unit: getattr(policy, name)}) for unit, name in timeouts]
    assert len(longest) == 3
    assert (
        max(*longest, timeout_of("TransformJob"), timeout_of("MaintainJob"), _LONGEST_RUN)
        < tables.SNAPSHOT_RETENTION / 2
    )


def test_the_page_states_the_actual_times():
    defaults = {name: str(parameter.get("Default")) for name, parameter in TEMPLATE["Parameters"].items()}
    assert f"`{defaults['MaintenanceSchedule']}`" in PAGE
    assert timedelta(days=3) == tables.SNAPSHOT_RETENTION
    assert "3 days" in PAGE
    assert f"{timeout_of('MaintainJob').total_seconds() / 3600:.0f} hours" in PAGE
    assert "five" in PAGE
    assert tables._MIN_FILES == 5


def test_every_link_leads_to_a_file():
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
