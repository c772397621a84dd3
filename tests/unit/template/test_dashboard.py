"""The CloudWatch dashboard: a body that parses, and no graph of a metric or a resource that is not there."""

import json
from typing import Any

import pytest

from local.intrinsics import Resolver
from tests.telemetry import documented_metrics
from tests.unit.template.conftest import of_type

EXECUTIONS = {f"Executions{how}" for how in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")}
# Metrics of AWS that the dashboard may draw, by namespace: the dimension, and what it names.
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
    """The dashboard where the parameter NoArrivalsHours is that; a resource stands as its logical id."""
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
    """Every metric of every graph."""
    return [metric for each in widgets if each["type"] == "metric" for metric in each["properties"]["metrics"]]


def unknown(widgets: list[dict[str, Any]], resources: dict[str, Any]) -> list[str]:
    """The metrics that nobody tells."""
    return [str(metric) for metric in graphs(widgets) if not _is_known(metric, resources)]


def _is_known(metric: list[Any], resources: dict[str, Any]) -> bool:
    namespace, name, dimension, value = metric[:4]
    if namespace == "music-streams":
        return dimension == "service" and (name, value) in documented_metrics()
    if metric[:3] == JOB_RUNS:
        return bool(value == "arn:partition:states:::glue:startJobRun.sync")
    names, kind, metrics = OF_AWS.get(namespace, ("", "", set()))
    return name in metrics and dimension == names and value.split(".")[0] in of_type(resources, kind)


def test_every_graph_is_of_a_metric_that_is_told_and_a_resource_that_is_there(widgets, resources):
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
def test_a_graph_of_something_else_is_found(metric, resources):
    assert unknown([{"type": "metric", "properties": {"metrics": [metric]}}], resources) == [str(metric)]


def test_it_shows_every_metric_of_our_own_but_those_that_others_imply(widgets):
    shown = {metric[1] for metric in graphs(widgets) if metric[0] == "music-streams"}
    assert {name for name, _ in documented_metrics()} - shown == {"FilesRunning", "FilesRetracted"}


def test_it_shows_every_function_and_every_dead_letter_queue(widgets, resources):
    shown = {metric[3].split(".")[0] for metric in graphs(widgets)}
    letters = {name for name in of_type(resources, "AWS::SQS::Queue") if "DeadLetter" in name}
    assert shown >= {*of_type(resources, "AWS::Lambda::Function"), *letters}


@pytest.mark.parametrize(("hours", "left_out"), [("0", {"NoArrivalsAlarm"}), ("24", set())])
def test_it_begins_with_every_alarm_that_there_is(translated, hours, left_out):
    heading, first, *_ = body(translated, hours)["widgets"]
    assert "Pipeline health" in heading["properties"]["markdown"]
    alarms = set(of_type(translated["Resources"], "AWS::CloudWatch::Alarm")) - left_out
    assert sorted(first["properties"]["alarms"]) == sorted(f"{name}.Arn" for name in alarms)


def test_its_parts_come_in_order(widgets):
    headings = [each["properties"]["markdown"].split("\n")[0] for each in widgets if each["type"] == "text"]
    assert " ".join(headings) == (
        "## Pipeline health ## Arrivals and publications ## Latency ## Rejected ## Runs ## Functions ## Queues "
        "## Cost drivers ## What to do"
    )


def test_no_widget_lies_on_another_or_beyond_the_edge(widgets):
    taken: set[tuple[int, int]] = set()
    for each in widgets:
        assert each["x"] + each["width"] <= 24
        squares = {(each["x"] + x, each["y"] + y) for x in range(each["width"]) for y in range(each["height"])}
        assert not taken & squares, each
        taken |= squares
