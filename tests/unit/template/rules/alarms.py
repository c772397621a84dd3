"""Every way in which the pipeline can fail rings at an operator's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.template import Template, as_list, of_type, resource_statements, target
from tests.unit.template.rules.queues import dead_letter_queues

CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}


@dataclass(frozen=True)
class Metric:
    """A metric of one resource."""

    namespace: str
    name: str
    resource: str


def failure_modes(template: Template) -> dict[Metric, str]:
    """What can go wrong with the resources of the template, and the metric that shows it.

    A failed Glue run, and a state that gives up, end their execution; what an event rule cannot deliver ends in a
    dead-letter queue. So these need no metric of their own. A queue that no function takes from is for listeners
    outside the template, who may not be there.
    """
    modes: dict[Metric, str] = {}
    letters = dead_letter_queues(template)
    taken = {target(each["EventSourceArn"]) for each in of_type(template, "AWS::Lambda::EventSourceMapping").values()}
    for queue in of_type(template, "AWS::SQS::Queue"):
        if queue in letters:
            modes[Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue)] = "a message was given up"
        elif queue in taken:
            modes[Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", queue)] = "messages wait and nobody takes them"
    for machine in of_type(template, "AWS::StepFunctions::StateMachine"):
        for name in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
            modes[Metric("AWS/States", name, machine)] = "a batch's run did not succeed"
    for function in of_type(template, "AWS::Lambda::Function"):
        modes[Metric("AWS/Lambda", "Errors", function)] = "the function raises, or runs out of time or memory"
        modes[Metric("AWS/Lambda", "Throttles", function)] = "the function may not start"
    return modes


def every_failure_mode_has_an_alarm(template: Template) -> Iterator[str]:
    watched = {metric for alarm in _alarms(template).values() for metric in _metrics(alarm)}
    for metric, what in failure_modes(template).items():
        if metric not in watched:
            yield f"{metric.resource}: no alarm on {metric.namespace} {metric.name}: {what}"


def every_alarm_reaches_the_operators(template: Template) -> Iterator[str]:
    topics = of_type(template, "AWS::SNS::Topic")
    for name, alarm in _alarms(template).items():
        if not {target(action) for action in alarm.get("AlarmActions", [])} & topics.keys():
            yield f"{name}: rings nowhere"
        if alarm.get("ActionsEnabled") is False:
            yield f"{name}: is switched off"


def topics_of_alarms_have_a_key_that_alarms_may_use(template: Template) -> Iterator[str]:
    """CloudWatch cannot publish to a topic under AWS's own key, nor past a policy that does not name it."""
    keys = of_type(template, "AWS::KMS::Key")
    topics = {target(action) for alarm in _alarms(template).values() for action in alarm.get("AlarmActions", [])}
    for topic in topics & of_type(template, "AWS::SNS::Topic").keys():
        key = target(template["Resources"][topic]["Properties"].get("KmsMasterKeyId", ""))
        if key not in keys:
            yield f"{topic}: not under a key of the template"
            continue
        if not keys[key].get("EnableKeyRotation"):
            yield f"{key}: is never rotated"
        used = {
            action
            for name, statement in resource_statements(template, "AWS::KMS::Key")
            if name == key and statement["Principal"] == CLOUDWATCH
            for action in as_list(statement["Action"])
        }
        if not used >= {"kms:GenerateDataKey", "kms:Decrypt"}:
            yield f"{key}: alarms may not use it"
        if not any(
            statement["Effect"] == "Allow"
            and statement["Principal"] == CLOUDWATCH
            and topic in {target(each) for each in as_list(statement["Resource"])}
            for _, statement in resource_statements(template, "AWS::SNS::TopicPolicy")
        ):
            yield f"{topic}: alarms may not publish to it"


def _alarms(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def _metrics(alarm: dict[str, Any]) -> Iterator[Metric]:
    parts = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    for metric in parts or [alarm]:
        for dimension in metric.get("Dimensions", []):
            yield Metric(metric["Namespace"], metric["MetricName"], target(dimension["Value"]))
