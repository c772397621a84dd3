"""The template keeps every rule, and no rule is idle: each kind of resource that rules speak of is there."""

import pytest

from tests.template import of_type
from tests.unit.template.rules import RULES
from tests.unit.template.rules.alarms import OWN, failure_modes

KINDS = [
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::Glue::Job",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::StepFunctions::StateMachine",
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule, translated):
    assert list(rule(translated)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_rules_have_something_to_judge(kind, translated):
    assert of_type(translated, kind)


def test_the_failure_modes_cover_what_runs_and_what_waits(translated):
    running = {
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
        "AWS::StepFunctions::StateMachine",
    }
    watched = {metric.resource for metric in failure_modes(translated) if metric.namespace != OWN}
    for_listeners_outside = {"FailedRunsQueue"}
    assert watched == set(of_type(translated, *running)) - for_listeners_outside
