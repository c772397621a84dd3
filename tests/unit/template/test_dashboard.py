"""The CloudWatch dashboard is valid JSON, and each graph shows a metric and a resource that exist."""

import json
from typing import Any

import pytest

from local.intrinsics import Resolver
from tests.telemetry import documented_metrics
from tests.unit.template.conftest import of_type

EXECUTIONS = {f"Executions{how}" for how in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")}
# Metrics of AWS that the dashboard may show, by namespace: the dimension, and the type of resource that it names.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html
OF_AWS = {
    "AWS/SQS": (
        "QueueName",
        "AWS::SQS::Queue",
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ),
    "AWS/Lambda": ("FunctionName", "AWS::Lambda::Function", {"Errors", "Throttles", "Duration"}),
    "AWS/DynamoDB": ("TableName", "AWS::DynamoDB::Table", {"ConsumedWriteCapacityUnits"}),
    "AWS/States": ("StateMachineArn", "AWS::StepFunctions::StateMachine", EXECUTIONS),
}
JOB_RUNS = ["AWS/States", "ServiceIntegrationRunTime", "ServiceIntegrationResourceArn"]


def body(translated: dict[str, Any], hours: str) -> dict[str, Any]:
    """Return the dashboard for a value of NoArrivalsHours; a resource is represented by its logical id."""
    [dashboard] = of_type(translated["Resources"], "AWS::CloudWatch::Dashboard").values()
    values = {f"AWS::{name}": name.lower() for name in ("Region", "StackName", "Partition", "AccountId")}
    parameters = {name: str(each.get("Default", "")) for name, each in translated["Parameters"].items()}
    resolver = Resolver(
        values={**values, **parameters, "NoArrivalsHours": hours},
        mappings={},
        conditions=translated["Conditions"],
        ref=lambda name: name,
        attribute=lambda name, attribute: f"{name}.{attribute}",
    )
    return json.loads(resolver.resolve(dashboard["DashboardBody"]))


@pytest.fixture
def widgets(translated) -> list[dict[str, Any]]:
    return body(translated, "0")["widgets"]


def graphs(widgets: list[dict[str, Any]]) -> list[list[Any]]:
    """Return every metric of every graph."""
    return [metric for each in widgets if each["type"] == "metric" for metric in each["properties"]["metrics"]]


def unknown(widgets: list[dict[str, Any]], resources: dict[str, Any]) -> list[str]:
    """Return the metrics that nothing emits."""
    return [str(metric) for metric in graphs(widgets) if not _is_known(metric, resources)]


def _is_known(metric: list[Any], resources: dict[str, Any]) -> bool:
    namespace, name, dimension, value = metric[:4]
    if namespace == "music-streams":
        return dimension == "service" and (name, value) in documented_metrics()
    if metric[:3] == JOB_RUNS:
        return bool(value == "arn:partition:states:::glue:startJobRun.sync")
    names, kind, metrics = OF_AWS.get(namespace, ("", "", set()))
    return name in metrics and dimension == names and value.split(".")[0] in of_type(resources, kind)


def test_every_graph_shows_an_emitted_metric_of_an_existing_resource(widgets, resources):
    assert len(graphs(widgets)) > 40
    assert unknown(widgets, resources) == []


@pytest.mark.parametrize(
    "metric",
    [
        ["music-streams", "FilesReceived", "service", "settle"],
        ["music-streams", "FilesRecieved", "service", "validate"],
        ["AWS/Lambda", "Errors", "FunctionName", "GoneFunction"],
        ["AWS/Lambda", "Error", "FunctionName", "ClaimFunction"],
        ["AWS/Kinesis", "Errors", "FunctionName", "ClaimFunction"],
    ],
)
def test_graph_of_an_unknown_metric_or_resource_is_found(metric, resources):
    assert unknown([{"type": "metric", "properties": {"metrics": [metric]}}], resources) == [str(metric)]


def test_dashboard_shows_every_custom_metric_except_two_that_others_imply(widgets):
    shown = {metric[1] for metric in graphs(widgets) if metric[0] == "music-streams"}
    assert {name for name, _ in documented_metrics()} - shown == {"FilesRunning", "FilesRetracted"}


def test_dashboard_shows_every_function_and_every_dead_letter_queue(widgets, resources):
    shown = {metric[3].split(".")[0] for metric in graphs(widgets)}
    letters = {name for name in of_type(resources, "AWS::SQS::Queue") if "DeadLetter" in name}
    assert shown >= {*of_type(resources, "AWS::Lambda::Function"), *letters}


@pytest.mark.parametrize(("hours", "left_out"), [("0", {"NoArrivalsAlarm"}), ("24", set())])
def test_dashboard_begins_with_every_alarm(translated, hours, left_out):
    heading, first, *_ = body(translated, hours)["widgets"]
    assert "Pipeline health" in heading["properties"]["markdown"]
    alarms = set(of_type(translated["Resources"], "AWS::CloudWatch::Alarm")) - left_out
    assert sorted(first["properties"]["alarms"]) == sorted(f"{name}.Arn" for name in alarms)


def test_dashboard_has_its_sections_in_order(widgets):
    headings = [each["properties"]["markdown"].split("\n")[0] for each in widgets if each["type"] == "text"]
    assert " ".join(headings) == (
        "## Pipeline health ## Arrivals and publications ## Latency ## Rejected rows and quarantined files "
        "## Runs ## Functions ## Queues ## Cost drivers ## What to do"
    )


def test_no_widget_overlaps_another_or_exceeds_the_grid(widgets):
    occupied: set[tuple[int, int]] = set()
    for widget in widgets:
        x, y = widget["x"], widget["y"]
        assert x + widget["width"] <= 24
        squares = {(x + dx, y + dy) for dx in range(widget["width"]) for dy in range(widget["height"])}
        assert not occupied & squares, widget
        occupied |= squares
