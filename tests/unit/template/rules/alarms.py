"""Every way in which the pipeline can fail rings at an operator's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.telemetry import documented_metrics
from tests.template import Template, as_list, of_type, resource_statements, target
from tests.unit.template.faults import drop, finds, put, remove, statement_of
from tests.unit.template.rules.compute import of_machines
from tests.unit.template.rules.queues import by_the_clock, dead_letter_queues, rule_targets

OWN = "music-streams"
CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}


@dataclass(frozen=True)
class Metric:
    """A metric of one resource; one of our own, of the service that tells it."""

    namespace: str
    name: str
    resource: str


def failure_modes(template: Template) -> dict[Metric, str]:
    """What can go wrong with the resources of the template, and the metric that shows it.

    A Glue run that a machine waits for, and a state that gives up, end their execution when they fail; what an event
    rule cannot deliver ends in a dead-letter queue. So these need no metric of their own. A queue that no function
    takes from is for listeners outside the template, who may not be there.
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
    return modes | SILENT


SILENT = {
    Metric(OWN, "OldestFileAge", "measure"): "files wait, whatever for",
    Metric(OWN, "FilesReceived", "validate"): "no file comes any more",
    Metric(OWN, "RowsRejected", "settle"): "files count, and hardly a row of them does",
    Metric(OWN, "ItemsRefused", "settle"): "runs succeed and publish nothing",
    Metric(OWN, "DaysRecomputed", "settle"): "a small file makes the pipeline recompute its history",
}
"""What goes wrong while everything works, and the metric of our own that shows it."""


@finds(remove("FailuresDeadLettersAlarm"), "FailuresDeadLetterQueue")
@finds(remove("LateFilesAlarm"), "measure: no alarm on music-streams OldestFileAge")
@finds(remove("NoArrivalsAlarm"), "validate: no alarm on music-streams FilesReceived")
@finds(drop("RejectedRowsAlarm/Metrics/1"), "settle: no alarm on music-streams RowsRejected")
@finds(drop("RefusedItemsAlarm/Metrics/1"), "settle: no alarm on music-streams ItemsRefused")
def every_failure_mode_has_an_alarm(template: Template) -> Iterator[str]:
    watched = {metric for alarm in _alarms(template).values() for metric in _metrics(alarm)}
    for metric, what in failure_modes(template).items():
        if metric not in watched:
            yield f"{metric.resource}: no alarm on {metric.namespace} {metric.name}: {what}"


@finds(put("LateFilesAlarm/TreatMissingData", "notBreaching"), "LateFilesAlarm")
@finds(drop("LateFilesAlarm/InsufficientDataActions"), "LateFilesAlarm")
def alarms_on_what_is_measured_by_the_clock_ring_when_that_ends(template: Template) -> Iterator[str]:
    """A gauge that nobody reads any more looks like one that stands still.

    An alarm that takes missing data for missing leaves OK or ALARM for INSUFFICIENT_DATA when its metric ends, and that
    is an action of its own.
    """
    functions = of_type(template, "AWS::Lambda::Function")
    gauging = {target(each["Arn"]) for rule, each in rule_targets(template) if rule in by_the_clock(template)}
    services = {functions[name]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for name in gauging}
    topics = of_type(template, "AWS::SNS::Topic")
    for name, alarm in _alarms(template).items():
        is_gauge = any(metric.namespace == OWN and metric.resource in services for metric in _metrics(alarm))
        hears = {target(action) for action in alarm.get("InsufficientDataActions", [])} & topics.keys()
        if is_gauge and (alarm.get("TreatMissingData", "missing") != "missing" or not hears):
            yield f"{name}: is silent where nothing is measured any more"


@finds(put("LateFilesAlarm/TreatMissingData", "breaching"), "LateFilesAlarm: rings on a new stack")
def no_alarm_rings_before_anything_was_measured(template: Template) -> Iterator[str]:
    """On a new stack no metric has data yet. Only what somebody asks for by a parameter may take that for a fault."""
    for name, alarm in _alarms(template).items():
        is_asked_for = "Condition" in template["Resources"][name]
        if alarm.get("TreatMissingData") == "breaching" and not is_asked_for:
            yield f"{name}: rings on a new stack"


@finds(put("NoArrivalsAlarm/Dimensions/0/Value", "settle"), "NoArrivalsAlarm: settle tells no FilesReceived")
def every_alarm_on_a_metric_of_our_own_names_one_that_is_told(template: Template) -> Iterator[str]:
    """CloudWatch takes any name, and the alarm then waits for ever."""
    for name, alarm in _alarms(template).items():
        for metric in _metrics(alarm):
            if metric.namespace == OWN and (metric.name, metric.resource) not in documented_metrics():
                yield f"{name}: {metric.resource} tells no {metric.name}"


@finds(put("FailedMaintenanceRule/EventPattern/detail/state", ["FAILED"]), "MaintainJob")
def every_job_that_no_machine_waits_for_has_a_rule_on_its_failures(template: Template) -> Iterator[str]:
    """Nobody hears of its failed runs otherwise."""
    heard_of = {
        target(job)
        for rule in of_type(template, "AWS::Events::Rule").values()
        if rule.get("EventPattern", {}).get("detail-type") == ["Glue Job State Change"]
        and set(rule["EventPattern"]["detail"]["state"]) >= {"FAILED", "TIMEOUT"}
        for job in rule["EventPattern"]["detail"]["jobName"]
    }
    for job in of_type(template, "AWS::Glue::Job").keys() - of_machines(template) - heard_of:
        yield f"{job}: no rule on its failed runs"


@finds(drop("ArrivalsDeadLettersAlarm/AlarmActions"), "ArrivalsDeadLettersAlarm")
def every_alarm_reaches_the_operators(template: Template) -> Iterator[str]:
    topics = of_type(template, "AWS::SNS::Topic")
    for name, alarm in _alarms(template).items():
        if not {target(action) for action in alarm.get("AlarmActions", [])} & topics.keys():
            yield f"{name}: rings nowhere"
        if alarm.get("ActionsEnabled") is False:
            yield f"{name}: is switched off"


@finds(put("AlertsTopic/KmsMasterKeyId", "alias/aws/sns"), "AlertsTopic")
@finds(statement_of("AlertsKey", "AlarmsPublish", Action=["kms:Decrypt"]), "AlertsKey")
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
