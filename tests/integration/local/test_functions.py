import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.clouds import eventually, zipped

pytestmark = pytest.mark.slow


def test_a_worker_is_kept_warm(cloud):
    first, second = (cloud.invoke("Behave", {})[0] for _ in range(2))
    assert first["pid"] == second["pid"]


def test_a_worker_sees_the_lambda_environment_and_nothing_of_the_users(cloud):
    answer, _ = cloud.invoke("Behave", {})
    environment = answer["environment"]
    assert environment["AWS_ENDPOINT_URL"] == cloud.aws.endpoint
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == cloud.outputs["Behave"]
    assert environment["TABLE"] == cloud.outputs["Notes"]
    assert environment["PYTHONPATH"].split(":")[0] == environment["LAMBDA_TASK_ROOT"] == answer["cwd"]
    assert environment["HOME"] != os.environ.get("HOME")
    assert "AWS_PROFILE" not in environment


def test_concurrent_invocations_get_separate_workers(cloud):
    with ThreadPoolExecutor(3) as callers:
        answers = list(callers.map(lambda _: cloud.invoke("Behave", {"sleep": 0.5})[0], range(3)))
    assert len({answer["pid"] for answer in answers}) == 3


@pytest.mark.parametrize(
    ("name", "event", "error_type", "message"),
    [
        ("Behave", {"raise": "as asked"}, "ValueError", "^as asked$"),
        pytest.param("Behave", {"allocate": 200}, "Runtime.ExitError", "memory used", id="memory, watched"),
        pytest.param("Behave", {"allocate": 8000}, "MemoryError", "", id="memory, immediately"),
        ("Behave", {"exit": 3}, "Runtime.ExitError", "Runtime exited with code 3$"),
        ("Behave", {"import": "moto"}, "ModuleNotFoundError", "moto"),  # the runtime has boto3 and little else
        ("Broken", {}, "Runtime.ImportModuleError", "a_module_that_does_not_exist"),
    ],
)
def test_a_failure_is_the_error_in_the_response(cloud, name, event, error_type, message):
    answer, error = cloud.invoke(name, event)
    assert (error, answer["errorType"]) == ("Unhandled", error_type)
    assert re.search(message, answer["errorMessage"])


def test_a_function_that_takes_too_long_is_ended(cloud):
    before = cloud.invoke("Behave", {})[0]["pid"]
    answer, error = cloud.invoke("Behave", {"sleep": 30})
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert answer["errorMessage"].endswith("Task timed out after 2.00 seconds")
    assert cloud.invoke("Behave", {})[0]["pid"] != before


def test_new_code_reaches_the_next_invocation_of_a_function_built_by_make(cloud):
    assert cloud.invoke("Built", {}) == ("built", None)
    code = zipped("app.py", "def handler(event, context):\n    return 'new'\n")
    cloud.client("lambda").update_function_code(FunctionName=cloud.outputs["Built"], ZipFile=code)
    assert cloud.invoke("Built", {}) == ("new", None)


def test_a_request_over_six_megabytes_is_refused(cloud):
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        cloud.invoke("Behave", {"large": "x" * 6_291_456})


def test_an_asynchronous_invocation_is_retried_and_then_sent_to_its_destination(cloud):
    event = {"raise": "always", "note": "asynchronous"}
    assert cloud.invoke("Behave", event, InvocationType="Event") == (None, None)
    record = eventually(lambda: cloud.receive("FailuresUrl"))[0]
    assert record["requestPayload"] == event
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["functionArn"].endswith(f"function:{cloud.outputs['Behave']}:$LATEST")
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorMessage"] == "always"
    assert len(cloud.notes("asynchronous")) == 2


def test_what_a_function_prints_is_in_the_log_and_in_cloudwatch(cloud):
    cloud.invoke("Behave", {"printed": 1})
    assert "lambda/" + cloud.outputs["Behave"] in cloud.state.log_file.read_text()
    group = f"/aws/lambda/{cloud.outputs['Behave']}"
    logs = cloud.client("logs")
    messages = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    assert "behaving ['printed']" in messages
    assert any(message.startswith("REPORT RequestId") for message in messages)


def test_reserved_concurrency_throttles(cloud):
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName=cloud.outputs["Behave"], ReservedConcurrentExecutions=0)
    try:
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            cloud.invoke("Behave", {})
    finally:
        functions.delete_function_concurrency(FunctionName=cloud.outputs["Behave"])
    assert json.dumps(cloud.invoke("Behave", {"echoed": 1})[0]["echo"]) == '{"echoed": 1}'
