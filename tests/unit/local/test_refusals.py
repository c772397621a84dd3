"""Whatever the local cloud would do otherwise than AWS, it refuses to deploy."""

from typing import Any

import pytest

from local.aws import Aws
from local.credentials import Credentials
from local.deployment import Deployment
from local.errors import NotHonouredError, TemplateError
from local.resources import Stack

NOWHERE = Stack(Aws("http://127.0.0.1:9", "us-east-1", Credentials.random()), "stack", "123456789012")
JOB = {"Role": "r", "Command": {"Name": "pythonshell", "ScriptLocation": "s3://b/k"}}
PATTERN = {"source": ["aws.s3"]}


def deploy(resource_type: str, properties: dict[str, Any], **attributes: Any) -> None:
    resource = {"Type": resource_type, "Properties": properties, **attributes}
    Deployment({"Resources": {"It": resource}}, {}, NOWHERE).run()


@pytest.mark.parametrize(
    ("resource_type", "properties", "what"),
    [
        ("AWS::Kinesis::Stream", {}, "this resource type"),
        ("AWS::SQS::Queue", {"FifoQueue": True}, "property FifoQueue"),
        ("AWS::S3::Bucket", {"ReplicationConfiguration": {}}, "property ReplicationConfiguration"),
        ("AWS::DynamoDB::Table", {"StreamSpecification": {}}, "property StreamSpecification"),
        (
            "AWS::Events::Rule",
            {"ScheduleExpression": "rate(1 minute)", "EventPattern": {"source": ["s"]}},
            "or with both",
        ),
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
            {
                "FunctionName": "f",
                "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:events:us-east-1:1:event-bus/b"}},
            },
            r"DestinationConfig\.OnFailure",
        ),
        ("AWS::StepFunctions::StateMachine", {"StateMachineType": "EXPRESS"}, "EXPRESS"),
        ("AWS::StepFunctions::StateMachine", {"DefinitionString": '{"QueryLanguage": "JSONata"}'}, "JSONata"),
        (
            "AWS::StepFunctions::StateMachine",
            {"DefinitionString": '{"States": {"A": {"QueryLanguage": "JSONata"}}}'},
            "JSONata",
        ),
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
def test_is_refused_by_name(resource_type, properties, what):
    with pytest.raises(NotHonouredError, match=rf"It \({resource_type}\).*{what}"):
        deploy(resource_type, properties)


def test_an_unknown_attribute_of_a_resource_is_refused():
    with pytest.raises(NotHonouredError, match=r"It .*CreationPolicy"):
        deploy("AWS::S3::Bucket", {}, CreationPolicy={})


def test_all_types_are_known_before_anything_is_created():
    resources = {"First": {"Type": "AWS::S3::Bucket"}, "Second": {"Type": "AWS::Kinesis::Stream"}}
    with pytest.raises(NotHonouredError, match="Second"):
        Deployment({"Resources": resources}, {}, NOWHERE).run()


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"BatchSize": 10_001}, "BatchSize of 1 to 10000"),
        ({"BatchSize": 11}, "MaximumBatchingWindowInSeconds of 1 or more"),
        ({"MaximumBatchingWindowInSeconds": 301}, "0 to 300"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "MaximumConcurrency of 2 to 1000"),
    ],
)
def test_limits_of_event_source_mappings(properties, message):
    source = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q", "FunctionName": "f"}
    with pytest.raises(TemplateError, match=message):
        deploy("AWS::Lambda::EventSourceMapping", {**source, **properties})


def test_a_circle_of_references_is_shown():
    resources = {
        "A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "B"}}},
        "B": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "A"}}},
    }
    with pytest.raises(TemplateError, match="A → B → A"):
        Deployment({"Resources": resources}, {}, NOWHERE).run()


@pytest.mark.parametrize(
    ("value", "message"),
    [({"Ref": "Nobody"}, "Nobody, which it does not define"), ({"Ref": "Off"}, "Off, whose condition does not hold")],
)
def test_references_to_nothing(value, message):
    translated = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "It": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": value}},
            "Off": {"Type": "AWS::SQS::Queue", "Condition": "Never"},
        },
    }
    with pytest.raises(TemplateError, match=message):
        Deployment(translated, {}, NOWHERE).run()
