"""Queues and event rules: no message is dropped, or delivered again because of a short timeout."""

from collections.abc import Iterator
from typing import Any

from tests.template import Template, as_list, of_type, refuses_plain_http, resource_statements, target
from tests.unit.template.faults import arn, drop, finds, put, remove, statement_of


@finds(drop("ArrivalsDeadLetterQueue/SqsManagedSseEnabled"), "ArrivalsDeadLetterQueue")
def every_queue_is_encrypted(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name}: SqsManagedSseEnabled is not on"


def dead_letter_queues(template: Template) -> set[str]:
    """Return the queues that receive undeliverable messages."""
    redrives = [q["RedrivePolicy"] for q in of_type(template, "AWS::SQS::Queue").values() if "RedrivePolicy" in q]
    letters = [policy["deadLetterTargetArn"] for policy in redrives]
    letters += [each["DeadLetterConfig"]["Arn"] for _, each in rule_targets(template) if "DeadLetterConfig" in each]
    letters += list(failure_destinations(template).values())
    return {target(each) for each in letters}


def failure_destinations(template: Template) -> dict[str, Any]:
    """Return the destination for failed asynchronous invocations, by function."""
    return {
        target(config["FunctionName"]): config["DestinationConfig"]["OnFailure"]["Destination"]
        for config in of_type(template, "AWS::Lambda::EventInvokeConfig").values()
        if "OnFailure" in config.get("DestinationConfig", {})
    }


def rule_targets(template: Template) -> list[tuple[str, dict[str, Any]]]:
    """Return each target of each event rule, with the rule's logical id."""
    rules = of_type(template, "AWS::Events::Rule")
    return [(name, each) for name, rule in rules.items() for each in rule["Targets"]]


def scheduled_rules(template: Template) -> set[str]:
    """Return the rules with a schedule. Their events need no dead-letter queue, because the next one comes soon."""
    return {name for name, rule in of_type(template, "AWS::Events::Rule").items() if "ScheduleExpression" in rule}


@finds(drop("ArrivalsQueue/RedrivePolicy"), "ArrivalsQueue")
def every_queue_has_a_dead_letter_queue(template: Template) -> Iterator[str]:
    queues = of_type(template, "AWS::SQS::Queue")
    for name in queues.keys() - dead_letter_queues(template):
        policy = queues[name].get("RedrivePolicy")
        if policy is None:
            yield f"{name}: no RedrivePolicy"
        elif target(policy["deadLetterTargetArn"]) not in queues or int(policy["maxReceiveCount"]) < 3:
            yield f"{name}: maxReceiveCount is less than 3, or the dead-letter queue is not in the template"


@finds(statement_of("FailuresQueuePolicy", "TlsOnly", Effect="Allow"), "FailuresDeadLetterQueue")
def every_queue_requires_tls(template: Template) -> Iterator[str]:
    for name in of_type(template, "AWS::SQS::Queue"):
        if not refuses_plain_http(template, "AWS::SQS::QueuePolicy", {"sqs:*"}, name):
            yield f"{name}: no queue policy denies plain HTTP"


@finds(put("ArrivalsQueue/VisibilityTimeout", 600), "ArrivalsQueue")
def visibility_timeout_is_at_least_six_function_timeouts(template: Template) -> Iterator[str]:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        queue, function = target(mapping["EventSourceArn"]), target(mapping["FunctionName"])
        hidden = template["Resources"][queue]["Properties"].get("VisibilityTimeout", 30)
        timeout = template["Resources"][function]["Properties"].get("Timeout", 3)
        if hidden < 6 * timeout:
            yield f"{queue}: VisibilityTimeout {hidden} s is less than six times the {timeout} s of {function}"


@finds(drop("ValidateFunction/Events/Arrivals/Properties/FunctionResponseTypes"), "ValidateFunction")
def every_consumer_reports_failed_messages_individually(template: Template) -> Iterator[str]:
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping").items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad message would move its whole batch to the dead-letter queue"


@finds(statement_of("ArrivalsQueuePolicy", "OnlyTheRuleSends", Resource=arn("ArrivalsQueue")), "DeadLetterQueue")
@finds(remove("RecordFailurePermission"), "RecordFailureFunction")
def every_rule_may_reach_its_targets_and_has_a_dead_letter_queue(template: Template) -> Iterator[str]:
    queues, functions = of_type(template, "AWS::SQS::Queue"), of_type(template, "AWS::Lambda::Function")
    for rule, each in rule_targets(template):
        if "DeadLetterConfig" not in each and rule not in scheduled_rules(template):
            yield f"{rule}: events that target {each['Id']} rejects are lost"
        letters = {target(each["DeadLetterConfig"]["Arn"])} if "DeadLetterConfig" in each else set()
        for reached in {target(each["Arn"])} | letters:
            if reached in queues and not _may_send(template, rule, reached):
                yield f"{reached}: its policy does not allow {rule} to send"
            if reached in functions and not _may_invoke(template, rule, reached):
                yield f"{reached}: no AWS::Lambda::Permission for {rule}"


def _may_send(template: Template, rule: str, queue: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": "events.amazonaws.com"}
        and "sqs:SendMessage" in as_list(statement["Action"])
        and queue in {target(each) for each in as_list(statement["Resource"])}
        and rule in {target(arn) for arn in as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"])}
        for _, statement in resource_statements(template, "AWS::SQS::QueuePolicy")
    )


def _may_invoke(template: Template, rule: str, function: str) -> bool:
    return any(
        target(permission["FunctionName"]) == function
        and permission["Principal"] == "events.amazonaws.com"
        and target(permission.get("SourceArn", "")) == rule
        for permission in of_type(template, "AWS::Lambda::Permission").values()
    )
