"""A trigger by the clock is recorded as the template has it, also when it changes."""

import logging
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from local.aws import ACCOUNT, Aws
from local.deployment import Deployment
from local.resources import Stack

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
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Stack(Aws(f"http://{host}:{port}", "us-east-1"), "stack", ACCOUNT)
    server.stop()


@pytest.mark.parametrize("schedules", [["cron(0 3 ? * SUN *)"], ["cron(0 3 ? * SUN *)", "cron(0 4 * * ? *)"]])
def test_a_trigger_is_as_the_template_last_had_it(stack, schedules):
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
