"""Every failure mode of the pipeline has an alarm that notifies the operators."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.telemetry import documented_metrics
from tests.template import Template, as_list, of_type, resource_statements, target
from tests.unit.template.faults import drop, finds, put, remove, statement_of
from tests.unit.template.rules.compute import called_by_machines
from tests.unit.template.rules.queues import dead_letter_queues, rule_targets, scheduled_rules

OWN = "music-streams"
CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}


@dataclass(frozen=True)
class Metric:
    """A metric of one resource; for a custom metric, of the service that emits it."""

    namespace: str
    name: str
    resource: str


def failure_modes(template: Template) -> dict[Metric, str]:
    """Return the metrics that show failures of the template's resources, with a description of each failure.

    A job run that a machine waits for, or a state whose retries are exhausted, fails its execution; what an event rule
    cannot deliver ends in a dead-letter queue. These need no separate metric. A queue without a function is for
    consumers outside the template, which may not exist.
    """
    modes: dict[Metric, str] = {}
    letters = dead_letter_queues(template)
    polled = {target(each["EventSourceArn"]) for each in of_type(template, "AWS::Lambda::EventSourceMapping").values()}
    for queue in of_type(template, "AWS::SQS::Queue"):
        if queue in letters:
            modes[Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue)] = "a message could not be processed"
        elif queue in polled:
            modes[Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", queue)] = "messages wait and are not processed"
    for machine in of_type(template, "AWS::StepFunctions::StateMachine"):
        for name in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
            modes[Metric("AWS/States", name, machine)] = "an execution did not succeed"
    for function in of_type(template, "AWS::Lambda::Function"):
        modes[Metric("AWS/Lambda", "Errors", function)] = "the function raises, or runs out of time or memory"
        modes[Metric("AWS/Lambda", "Throttles", function)] = "the function is throttled"
    return modes | SILENT


SILENT = {
    Metric(OWN, "OldestFileAge", "measure"): "files wait, for any reason",
    Metric(OWN, "FilesReceived", "validate"): "no new file arrives",
    Metric(OWN, "RowsRejected", "settle"): "files are published, but most of their rows are rejected",
    Metric(OWN, "ItemsRefused", "settle"): "runs succeed but publish nothing",
    Metric(OWN, "DaysRecomputed", "settle"): "a small file causes the recomputation of many days",
}
"""Failures without an error, and the custom metric that shows each."""


@finds(remove("FailuresDeadLettersAlarm"), "FailuresDeadLetterQueue")
@finds(remove("LateFilesAlarm"), "measure: no alarm on music-streams OldestFileAge")
@finds(remove("NoArrivalsAlarm"), "validate: no alarm on music-streams FilesReceived")
@finds(drop("RejectedRowsAlarm/Metrics/1"), "settle: no alarm on music-streams RowsRejected")
@finds(drop("RefusedItemsAlarm/Metrics/1"), "settle: no alarm on music-streams ItemsRefused")
def every_failure_mode_has_an_alarm(template: Template) -> Iterator[str]:
    watched = {metric for alarm in _alarms(template).values() for metric in _metrics(alarm)}
    for metric, failure in failure_modes(template).items():
        if metric not in watched:
            yield f"{metric.resource}: no alarm on {metric.namespace} {metric.name}: {failure}"


@finds(put("LateFilesAlarm/TreatMissingData", "notBreaching"), "LateFilesAlarm")
@finds(drop("LateFilesAlarm/InsufficientDataActions"), "LateFilesAlarm")
def alarms_on_gauges_notify_if_the_gauge_is_missing(template: Template) -> Iterator[str]:
    """A gauge that is no longer emitted must not look like a constant one.

    If an alarm treats missing data as missing, it changes to INSUFFICIENT_DATA, which has its own actions.
    """
    functions = of_type(template, "AWS::Lambda::Function")
    gauging = {target(each["Arn"]) for rule, each in rule_targets(template) if rule in scheduled_rules(template)}
    services = {functions[name]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for name in gauging}
    topics = of_type(template, "AWS::SNS::Topic")
    for name, alarm in _alarms(template).items():
        is_gauge = any(metric.namespace == OWN and metric.resource in services for metric in _metrics(alarm))
        notified = {target(action) for action in alarm.get("InsufficientDataActions", [])} & topics.keys()
        if is_gauge and (alarm.get("TreatMissingData", "missing") != "missing" or not notified):
            yield f"{name}: does not notify if the gauge is missing"


@finds(put("LateFilesAlarm/TreatMissingData", "breaching"), "LateFilesAlarm: fires on a new stack")
def no_alarm_fires_on_a_new_stack(template: Template) -> Iterator[str]:
    """A new stack has no data yet. Only an alarm that a parameter enables may treat missing data as breaching."""
    for name, alarm in _alarms(template).items():
        is_optional = "Condition" in template["Resources"][name]
        if alarm.get("TreatMissingData") == "breaching" and not is_optional:
            yield f"{name}: fires on a new stack"


@finds(put("NoArrivalsAlarm/Dimensions/0/Value", "settle"), "NoArrivalsAlarm: settle does not emit FilesReceived")
def every_alarm_on_a_custom_metric_names_an_emitted_one(template: Template) -> Iterator[str]:
    """CloudWatch accepts any name, and the alarm then never fires."""
    for name, alarm in _alarms(template).items():
        for metric in _metrics(alarm):
            if metric.namespace == OWN and (metric.name, metric.resource) not in documented_metrics():
                yield f"{name}: {metric.resource} does not emit {metric.name}"


@finds(put("FailedMaintenanceRule/EventPattern/detail/state", ["FAILED"]), "MaintainJob")
def every_job_outside_the_machines_has_a_rule_on_its_failures(template: Template) -> Iterator[str]:
    """Otherwise nobody is notified of its failed runs."""
    reported = {
        target(job)
        for rule in of_type(template, "AWS::Events::Rule").values()
        if rule.get("EventPattern", {}).get("detail-type") == ["Glue Job State Change"]
        and set(rule["EventPattern"]["detail"]["state"]) >= {"FAILED", "TIMEOUT"}
        for job in rule["EventPattern"]["detail"]["jobName"]
    }
    for job in of_type(template, "AWS::Glue::Job").keys() - called_by_machines(template) - reported:
        yield f"{job}: no rule on its failed runs"


@finds(drop("ArrivalsDeadLettersAlarm/AlarmActions"), "ArrivalsDeadLettersAlarm")
def every_alarm_reaches_the_operators(template: Template) -> Iterator[str]:
    topics = of_type(template, "AWS::SNS::Topic")
    for name, alarm in _alarms(template).items():
        if not {target(action) for action in alarm.get("AlarmActions", [])} & topics.keys():
            yield f"{name}: notifies no topic"
        if alarm.get("ActionsEnabled") is False:
            yield f"{name}: has its actions disabled"


@finds(put("AlertsTopic/KmsMasterKeyId", "alias/aws/sns"), "AlertsTopic")
@finds(statement_of("AlertsKey", "AlarmsPublish", Action=["kms:Decrypt"]), "AlertsKey")
def topics_of_alarms_have_a_key_that_alarms_may_use(template: Template) -> Iterator[str]:
    """CloudWatch cannot publish to a topic under AWS's own key, or if the key policy or topic policy lacks it."""
    keys = of_type(template, "AWS::KMS::Key")
    topics = {target(action) for alarm in _alarms(template).values() for action in alarm.get("AlarmActions", [])}
    for topic in topics & of_type(template, "AWS::SNS::Topic").keys():
        key = target(template["Resources"][topic]["Properties"].get("KmsMasterKeyId", ""))
        if key not in keys:
            yield f"{topic}: not encrypted with a key of the template"
            continue
        if not keys[key].get("EnableKeyRotation"):
            yield f"{key}: is not rotated"
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
