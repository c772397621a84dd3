"""Spark jobs. Slow, since the first run on a machine downloads 400 MB of jars."""

from typing import Any

import pytest

from tests.integration.local.clouds import SPARK_STACK, Cloud

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    running = Cloud.up(tmp_path_factory.mktemp("spark"), SPARK_STACK)
    yield running
    running.down()


def run(cloud: Cloud, step: str) -> dict[str, Any]:
    return cloud.ended_run("Append", cloud.run_job("Append", step=step))


def test_concurrent_commits_to_an_iceberg_table_are_all_kept(cloud):
    assert run(cloud, "create")["JobRunState"] == "SUCCEEDED"
    runs = [cloud.run_job("Append", step=step) for step in ("one", "two", "three")]
    assert [cloud.ended_run("Append", run_id)["JobRunState"] for run_id in runs] == ["SUCCEEDED"] * 3
    assert run(cloud, "read")["JobRunState"] == "SUCCEEDED"
    result = cloud.object("Lake", "results/table.json")
    expected = {"one": runs[0], "two": runs[1], "three": runs[2]}
    assert {row["step"]: row["name"] for row in result["rows"]} == expected
    assert result["files"] > 0


def test_sparks_error_is_the_runs_error(cloud):
    failed = run(cloud, "fail")
    assert failed["JobRunState"] == "FAILED"
    assert "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND]" in failed["ErrorMessage"]


def test_a_run_leaves_no_files_and_no_processes(cloud):
    assert list(cloud.state.scratch.iterdir()) == []
