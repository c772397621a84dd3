"""Roles allow what AWS itself does with them: a state machine's calls, polling a queue, writing to a destination.

tests/permissions checks the calls of a function's code against its role while it runs.
"""

from collections.abc import Iterator
from typing import Any

from tests.permissions.calls import Need
from tests.permissions.statements import allows, unused
from tests.template import Template, as_list, of_type, role_statements, target
from tests.unit.template.faults import arn, drop, finds, grant, put, revoke
from tests.unit.template.rules.queues import failure_destinations

# https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html and its siblings: the calls of an integration,
# the parameter that names its resource, and the form of its ARN.
INTEGRATIONS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "arn:aws:states:::lambda:invoke": (("lambda:InvokeFunction",), "FunctionName", "{}"),
    "arn:aws:states:::glue:startJobRun.sync": (
        ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
        "JobName",
        "job/{}",
    ),
    "arn:aws:states:::events:putEvents": (("events:PutEvents",), "", "event-bus/default"),
}

PRODUCERS_KEYS = "ProducerKeyArns"


@finds(revoke("ProcessStreamsRole", "glue:BatchStopJobRun"), "glue:BatchStopJobRun")
def every_machine_may_make_the_calls_of_its_states(template: Template) -> Iterator[str]:
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        granted = role_statements(template, target(machine["RoleArn"]))
        for state, need in _calls(machine):
            if not allows(granted, need.action, need.resource):
                yield f"{name}: {state}: its role does not grant {need.action} on {need.resource}"


@finds(grant("ProcessStreamsRole", "lambda:InvokeFunction", arn("MeasureFunction")), "on MeasureFunction")
def no_machine_may_make_other_calls(template: Template) -> Iterator[str]:
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        granted = role_statements(template, target(machine["RoleArn"]))
        for permission in sorted(unused(granted, [need for _, need in _calls(machine)])):
            if not permission.startswith("logs:"):  # Step Functions delivers its log in the machine's name
                yield f"{name}: its role grants {permission}, which no state needs"


def _calls(machine: dict[str, Any]) -> Iterator[tuple[str, Need]]:
    """Return the permissions that each state of a machine needs, with the state's name.

    Raises:
        AssertionError: INTEGRATIONS lacks a state's integration.
    """
    values = {"${" + key + "}": target(value) for key, value in machine["DefinitionSubstitutions"].items()}
    for state, task in machine["Definition"]["States"].items():
        if task["Type"] == "Task":
            assert task["Resource"] in INTEGRATIONS, f"{state}: add {task['Resource']} to INTEGRATIONS"
            actions, parameter, form = INTEGRATIONS[task["Resource"]]
            given = task["Parameters"].get(parameter, "")
            yield from ((state, Need(action, form.format(values.get(given, given)))) for action in actions)


@finds(revoke("ValidateRole", "sqs:DeleteMessage"), "sqs:DeleteMessage")
def every_function_may_read_its_queue(template: Template) -> Iterator[str]:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
            yield from _missing(template, target(mapping["FunctionName"]), action, target(mapping["EventSourceArn"]))


@finds(revoke("RecordFailureRole", "sqs:SendMessage"), "RecordFailureFunction")
def every_function_may_write_to_its_destination_for_failures(template: Template) -> Iterator[str]:
    for function, destination in failure_destinations(template).items():
        yield from _missing(template, function, "sqs:SendMessage", target(destination))


@finds(revoke("SettleRole", "kms:GenerateDataKey"), "SettleFunction")
def publishers_to_an_encrypted_topic_may_use_its_key(template: Template) -> Iterator[str]:
    topics = of_type(template, "AWS::SNS::Topic")
    for function in of_type(template, "AWS::Lambda::Function"):
        granted = _granted(template, function)
        for topic, properties in topics.items():
            if allows(granted, "sns:Publish", topic):
                for action in ("kms:GenerateDataKey", "kms:Decrypt"):
                    yield from _missing(template, function, action, target(properties["KmsMasterKeyId"]))


@finds(revoke("MeasureRole", "logs:PutLogEvents"), "MeasureFunction: its role does not grant logs:PutLogEvents")
def every_function_may_write_its_own_log(template: Template) -> Iterator[str]:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield from _missing(template, name, action, target(function["LoggingConfig"]["LogGroup"]))


@finds(revoke("LoadRole", "logs:CreateLogGroup"), "LoadJob: its role does not grant logs:CreateLogGroup")
def every_job_may_write_its_own_logs(template: Template) -> Iterator[str]:
    """https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html: Glue creates these groups."""
    for name, job in of_type(template, "AWS::Glue::Job").items():
        kind = "python-jobs" if job["Command"]["Name"] == "pythonshell" else "jobs"
        granted = role_statements(template, target(job["Role"]))
        for group in (f"log-group:/aws-glue/{kind}/{stream}" for stream in ("error", "output")):
            for action in ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"):
                if not allows(granted, action, f"{group}:log-stream:jr_1"):
                    yield f"{name}: its role does not grant {action} on {group}"


@finds(drop("ProducerKeysPolicy/Roles/1"), "SettleRole: reads")
@finds(put("ProducerKeysPolicy/PolicyDocument/Statement/0/Condition", {}), "outside S3")
@finds(put("ProducerKeysPolicy/PolicyDocument/Statement/0/Resource", [{"Ref": PRODUCERS_KEYS}, "*"]), "exactly the")
def readers_of_producers_objects_may_decrypt_with_their_keys(template: Template) -> Iterator[str]:
    readers = {
        role
        for role in of_type(template, "AWS::IAM::Role")
        for action in ("s3:GetObject", "s3:GetObjectVersion")
        for landed in ("LandingBucket/incoming/a.csv", "LandingBucket/reference/songs/a.csv")
        if allows(_with_prefix_conditions_met(role_statements(template, role)), action, landed)
    }
    granted: set[str] = set()
    for name, policy in of_type(template, "AWS::IAM::Policy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            if {"Ref": PRODUCERS_KEYS} in [statement["Resource"], *as_list(statement["Resource"])]:
                granted |= {target(role) for role in policy["Roles"]}
                yield from _wider_than_decrypting(name, statement)
    for role in sorted(readers - granted):
        yield f"{role}: reads producers' objects, but may not decrypt with their keys"
    for role in sorted(granted - readers):
        yield f"{role}: may decrypt with producers' keys, but reads none of their objects"


def _wider_than_decrypting(name: str, statement: dict[str, Any]) -> Iterator[str]:
    if as_list(statement["Action"]) != ["kms:Decrypt"] or statement["Resource"] != {"Ref": PRODUCERS_KEYS}:
        yield f"{name}: allows more than decrypting with exactly the keys of {PRODUCERS_KEYS}"
    condition = statement.get("Condition", {})
    if target(condition.get("StringEquals", {}).get("kms:ViaService", "")) != "s3.any.any":
        yield f"{name}: allows using producers' keys outside S3"
    encrypted = condition.get("StringLike", {}).get("kms:EncryptionContext:aws:s3:arn", [])
    # The object's ARN, or the bucket's if the producer uses a bucket key.
    if {target(each) for each in as_list(encrypted)} != {"LandingBucket", "LandingBucket/*"}:
        yield f"{name}: allows decrypting outside the landing bucket"


def _with_prefix_conditions_met(granted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [statement for statement in granted if "s3:prefix" not in str(statement.get("Condition"))]


def _granted(template: Template, function: str) -> list[dict[str, Any]]:
    return role_statements(template, target(template["Resources"][function]["Properties"]["Role"]))


def _missing(template: Template, function: str, action: str, resource: str) -> Iterator[str]:
    if not allows(_granted(template, function), action, resource):
        yield f"{function}: its role does not grant {action} on {resource}"
