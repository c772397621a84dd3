"""The template satisfies every rule. test_planted_faults.py shows that each rule is effective."""

import pytest

from tests.template import of_type
from tests.unit.template.rules import RULES
from tests.unit.template.rules.alarms import OWN, failure_modes


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_template_satisfies_the_rule(rule, translated):
    assert list(rule(translated)) == []


def test_failure_modes_cover_every_function_queue_and_state_machine(translated):
    resources = of_type(translated, "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::StepFunctions::StateMachine")
    watched = {metric.resource for metric in failure_modes(translated) if metric.namespace != OWN}
    for_listeners_outside = {"FailedRunsQueue"}
    assert watched == resources.keys() - for_listeners_outside
