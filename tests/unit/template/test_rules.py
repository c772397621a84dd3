"""The template keeps every rule. That no rule is idle, the faults show that are planted for each."""

import pytest

from tests.template import of_type
from tests.unit.template.rules import RULES
from tests.unit.template.rules.alarms import OWN, failure_modes


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule, translated):
    assert list(rule(translated)) == []


def test_the_failure_modes_cover_what_runs_and_what_waits(translated):
    running = of_type(translated, "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::StepFunctions::StateMachine")
    watched = {metric.resource for metric in failure_modes(translated) if metric.namespace != OWN}
    for_listeners_outside = {"FailedRunsQueue"}
    assert watched == running.keys() - for_listeners_outside
