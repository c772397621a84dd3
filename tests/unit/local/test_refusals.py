"""The local cloud refuses to deploy what it would treat differently from AWS."""

import json
from typing import Any

import pytest

from local.aws import Aws
from local.credentials import Credentials
from local.deployment import Deployment
from local.errors import NotSupportedError, TemplateError
from local.resources import Stack

NOWHERE = Stack(Aws("http://127.0.0.1:9", "us-east-1", Credentials.random()), "stack", "123456789012")
JOB = {"Role": "r", "Command": {"Name": "pythonshell", "ScriptLocation": "s3://b/k"}}
PATTERN = {"source": ["aws.s3"]}
JSONATA = {"QueryLanguage": "JSONata"}


def queue_named_by(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": name}}}


def deploy(resource_type: str, properties: dict[str, Any]) -> None:
    resource = {"Type": resource_type, "Properties": properties}
    Deployment({"Resources": {"It": resource}}, {}, NOWHERE).run()


@pytest.mark.parametrize(
    ("resource_type", "properties", "feature"),
    [
        ("AWS::Kinesis::Stream", {}, "this resource type"),
        ("AWS::SQS::Queue", {"FifoQueue": True}, "property FifoQueue"),
        ("AWS::S3::Bucket", {"ReplicationConfiguration": {}}, "property ReplicationConfiguration"),
        ("AWS::DynamoDB::Table", {"StreamSpecification": {}}, "property StreamSpecification"),
        ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 minute)", "EventPattern": PATTERN}, "or with both"),
        ("AWS::Events::Rule", {"Targets": []}, "without EventPattern or ScheduleExpression"),
        ("AWS::Events::Rule", {"EventPattern": {"a": [{"sounds-like": "b"}]}}, "the filter sounds-like"),
        (
            "AWS::Events::Rule",
            {"EventPattern": PATTERN, "Targets": [{"Id": "1", "Arn": "arn:aws:kinesis:us-east-1:1:stream/s"}]},
            "targets of kinesis",
        ),
        (
            "AWS::Events::Rule",
            {
                "EventPattern": PATTERN,
                "Targets": [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:1:q", "SqsParameters": {}}],
            },
            r"Targets\.SqsParameters",
        ),
        ("AWS::Lambda::Function", {"Runtime": "nodejs22.x"}, r"Runtime nodejs22\.x"),
        ("AWS::Lambda::Function", {"Runtime": "python3.12", "Layers": []}, "property Layers"),
        (
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s"},
            "event sources of kinesis",
        ),
        (
            "AWS::Lambda::EventInvokeConfig",
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:events:us-east-1:1:event-bus/b"}}},
            r"DestinationConfig\.OnFailure",
        ),
        ("AWS::StepFunctions::StateMachine", {"StateMachineType": "EXPRESS"}, "EXPRESS"),
        ("AWS::StepFunctions::StateMachine", {"DefinitionString": json.dumps(JSONATA)}, "JSONata"),
        ("AWS::StepFunctions::StateMachine", {"Definition": {"States": {"A": JSONATA}}}, "JSONata"),
        ("AWS::Glue::Job", {**JOB, "Command": {"Name": "gluestreaming"}}, r"Command\.Name gluestreaming"),
        ("AWS::Glue::Job", {**JOB, "Command": {"Name": "glueetl"}, "GlueVersion": "4.0"}, r"GlueVersion 4\.0"),
        ("AWS::Glue::Job", {**JOB, "MaxRetries": "1"}, "MaxRetries"),
        ("AWS::Glue::Job", {**JOB, "Connections": {}}, "property Connections"),
        ("AWS::Glue::Job", {**JOB, "DefaultArguments": {"--extra-jars": "s3://b/k"}}, "--extra-jars"),
        ("AWS::Glue::Job", {**JOB, "DefaultArguments": {"--datalake-formats": "hudi"}}, "hudi"),
        ("AWS::Glue::Trigger", {"Type": "ON_DEMAND", "Actions": []}, "Type ON_DEMAND"),
        ("AWS::Glue::Trigger", {"Type": "SCHEDULED", "WorkflowName": "w"}, "property WorkflowName"),
        ("AWS::SNS::Topic", {"FifoTopic": True}, "property FifoTopic"),
    ],
)
def test_an_unsupported_type_or_property_is_named(resource_type, properties, feature):
    with pytest.raises(NotSupportedError, match=rf"It \({resource_type}\).*{feature}"):
        deploy(resource_type, properties)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"BatchSize": 10_001}, "BatchSize of 1 to 10000"),
        ({"BatchSize": 11}, "MaximumBatchingWindowInSeconds of 1 or more"),
        ({"MaximumBatchingWindowInSeconds": 301}, "0 to 300"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "MaximumConcurrency of 2 to 1000"),
    ],
)
def test_event_source_mappings_are_checked_against_the_limits_of_aws(properties, message):
    source = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q", "FunctionName": "f"}
    with pytest.raises(TemplateError, match=message):
        deploy("AWS::Lambda::EventSourceMapping", {**source, **properties})


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"It": {"Type": "AWS::S3::Bucket", "CreationPolicy": {}}}, "It .*CreationPolicy"),
        # All types are checked before anything is created.
        ({"First": {"Type": "AWS::S3::Bucket"}, "Second": {"Type": "AWS::Kinesis::Stream"}}, "Second"),
        ({"A": queue_named_by("B"), "B": queue_named_by("A")}, "circular reference: A → B → A"),
        ({"It": queue_named_by("Nobody")}, "Nobody, which it does not define"),
        ({"It": queue_named_by("Off"), "Off": {**queue_named_by("It"), "Condition": "Never"}}, "Off, whose condition"),
    ],
)
def test_inconsistent_resources_are_named(resources, message):
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    with pytest.raises(TemplateError, match=message):
        Deployment({"Conditions": conditions, "Resources": resources}, {}, NOWHERE).run()
