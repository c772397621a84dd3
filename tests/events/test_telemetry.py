"""For all event files, the functions write the metrics in docs/telemetry.md, and log lines with ids."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest

from music_streams.aws.telemetry import Metric
from tests.events.arrange import Scene
from tests.events.cases import CASES
from tests.events.handlers import FUNCTIONS, invoke
from tests.events.stage import environment_of
from tests.telemetry import MetricRow, table

OF_RUNS = {"claim", "settle", "archive", "erase", "record-failure"}

# A file whose execution ended before its claim without a record of that: tests/integration/domain/test_attempts.py
UNSEEN = {MetricRow("validate", "FilesRunning", "Count")}

Line = dict[str, Any]


@pytest.fixture(scope="module")
def written(physical) -> list[str]:
    """All lines that the functions write."""
    output = StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        for case in CASES:
            function = FUNCTIONS[case.function]
            event = Scene(case, physical["FilesTable"]).event()
            invoke(function, environment_of(function.environment, physical), event)
    return output.getvalue().splitlines()


@pytest.fixture(scope="module")
def lines(written) -> list[Line]:
    """The lines of the log."""
    return [line for line in map(json.loads, written) if "_aws" not in line]


@pytest.fixture(scope="module")
def metrics(written) -> list[Line]:
    """The lines with metrics."""
    return [line for line in map(json.loads, written) if "_aws" in line]


def test_every_line_is_a_json_object_of_level_message_time_and_service(lines):
    assert len(lines) > 50
    services = {function.environment["POWERTOOLS_SERVICE_NAME"] for function in FUNCTIONS.values()}
    assert {line["service"] for line in lines} == services
    for line in lines:
        assert {"level", "message", "timestamp"} <= line.keys()


def test_every_line_about_a_run_names_its_batch(lines):
    for line in lines:
        if line["message"] == "job run failed":  # of maintenance, which has no batch
            assert line["run"].startswith("jr_"), line
            continue
        if line["service"] in OF_RUNS:
            assert len(line["batch_id"]) == 32, line
        if line["service"] in OF_RUNS - {"erase"}:
            assert line["execution"] == f"{line['batch_id']}-1", line


def test_every_line_about_a_file_names_it_and_never_the_file_of_an_earlier_message(lines):
    processed = [
        line for line in lines if line["message"].startswith("message processed") and line["outcome"] != "ordered"
    ]
    about_files = [*processed, *(line for line in lines if "s3://" in line["message"])]
    assert {line["service"] for line in about_files} == {"validate", *OF_RUNS}, (
        "lines of the package, not of the handler"
    )
    for line in about_files:
        assert len(line["source_id"]) == 32, line
    assert not [line for line in lines if "message_id" in line and line["message"].startswith("VALID")]


def test_the_functions_record_exactly_the_metrics_of_the_table(metrics):
    recorded = {
        MetricRow(line["service"], each["Name"], each["Unit"])
        for line in metrics
        for group in line["_aws"]["CloudWatchMetrics"]
        for each in group["Metrics"]
    }
    assert recorded | UNSEEN == table()
    assert {each.metric for each in recorded} == set(Metric)


def test_metrics_have_the_service_as_their_only_dimension(metrics):
    for line in metrics:
        [group] = line["_aws"]["CloudWatchMetrics"]
        assert (group["Namespace"], group["Dimensions"]) == ("music-streams", [["service"]])


def test_metrics_of_a_run_can_be_found_by_its_batch(metrics):
    of_runs = [line for line in metrics if line["service"] in OF_RUNS]
    assert of_runs
    assert all(len(line["batch_id"]) == 32 for line in of_runs)
