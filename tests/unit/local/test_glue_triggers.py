"""A scheduled trigger is recorded as in the template, also after a change."""

import logging
from collections.abc import Iterator

import pytest

from local.aws import ACCOUNT, Aws
from local.deployment import Deployment
from local.resources import Stack
from local.web import plain_moto

WEEKLY = {
    "Name": "tidy",
    "Type": "SCHEDULED",
    "Schedule": "cron(0 3 ? * SUN *)",
    "StartOnCreation": True,
    "Actions": [{"JobName": "tidy-up"}],
}


@pytest.fixture
def stack() -> Iterator[Stack]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with plain_moto() as (endpoint, credentials):
        yield Stack(Aws(endpoint, "us-east-1", credentials), "stack", ACCOUNT)


@pytest.mark.parametrize("schedules", [["cron(0 3 ? * SUN *)"], ["cron(0 3 ? * SUN *)", "cron(0 4 * * ? *)"]])
def test_a_trigger_equals_the_last_template(stack, schedules):
    for schedule in schedules:
        resource = {"Type": "AWS::Glue::Trigger", "Properties": {**WEEKLY, "Schedule": schedule}}
        Deployment({"Resources": {"Tidy": resource}}, {}, stack).run()
    [trigger] = stack.aws.client("glue").get_triggers()["Triggers"]
    assert trigger == {
        "Name": "tidy",
        "Type": "SCHEDULED",
        "State": "ACTIVATED",
        "Schedule": schedules[-1],
        "Actions": [{"JobName": "tidy-up"}],
    }
