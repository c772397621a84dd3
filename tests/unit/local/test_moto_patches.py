"""Each patch of moto is still needed: these tests show moto's own behavior, and fail when an upgrade fixes it.

Then delete the patch. The tests on a running cloud check the patched behavior.
"""

import gc
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Semaphore
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto import backends, mock_aws
from moto.awslambda.models import LambdaFunction
from moto.core.config import default_user_config
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.events.models import Rule
from moto.glue.responses import GlueResponse
from moto.moto_server.utilities import RegexConverter
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3 import notifications
from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.sqs.models import Message, Queue, sqs_backends
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
    state_task_service_aws_sdk,
    state_task_service_glue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from local.moto_patches.objects import OBJECTS, escape_keys_of_versions, list_versions_without_content
from local.moto_patches.queues import QUEUES, delete_messages
from local.moto_patches.tables import answer_values_by_their_type

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def client(service: str) -> Any:
    session: Any = boto3
    return session.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def aws():
    with mock_aws():
        yield


@pytest.fixture
def s3(aws):
    """S3 with a versioned bucket."""
    s3_client = client("s3")
    s3_client.create_bucket(Bucket="bucket")
    s3_client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return s3_client


@pytest.fixture
def glue(aws):
    """Glue with a job that may have two concurrent runs."""
    glue_client = client("glue")
    command = {"Name": "pythonshell", "ScriptLocation": "s3://no/where.py"}
    glue_client.create_job(Name="j", Role=ROLE, Command=command, ExecutionProperty={"MaxConcurrentRuns": 2})
    return glue_client


@pytest.fixture
def states():
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield client("stepfunctions")


@pytest.mark.parametrize(("hold", "kept"), [(Semaphore(2), 1), (OBJECTS, 2)], ids=["without a lock", "with the lock"])
def test_two_writers_of_a_key_lose_a_version_without_the_lock(s3, hold, kept):
    """Between reading the versions and writing them back, each waits for the other."""
    backend = s3_backends[ACCOUNT]["aws"]
    keys = backend.get_bucket("bucket").keys
    meeting = threading.Barrier(2)
    read = keys.getlist

    def getlist(*args, **kwargs):
        versions = read(*args, **kwargs)
        with suppress(threading.BrokenBarrierError):  # if the lock keeps the other out
            meeting.wait(0.5)
        return versions

    keys.getlist = getlist

    def put(value):
        with hold:
            S3Backend.put_object(backend, "bucket", "key", value)

    with ThreadPoolExecutor(2) as writers:
        list(writers.map(put, (b"1", b"2")))
    assert len(read("key")) == kept


@pytest.mark.parametrize("is_patched", [False, True])
def test_listing_versions_of_a_key_copies_all_objects_with_content(s3, monkeypatch, is_patched):
    for kind in (FakeKey, FakeDeleteMarker):
        monkeypatch.setattr(kind, "__deepcopy__", None, raising=False)
        monkeypatch.delattr(kind, "__deepcopy__")
    if is_patched:
        list_versions_without_content()
    copied: list[bytes] = []
    restore = FakeKey.__setstate__

    def restored(key: FakeKey, state: dict[str, Any]) -> None:
        copied.append(state["value"])
        restore(key, state)

    monkeypatch.setattr(FakeKey, "__setstate__", restored)
    for content in (b"earlier", b"later"):
        s3.put_object(Bucket="bucket", Key="key", Body=content)
    s3.put_object(Bucket="bucket", Key="another", Body=b"")
    s3.delete_object(Bucket="bucket", Key="another")
    for _ in range(2):
        listed = s3.list_object_versions(Bucket="bucket", Prefix="key")
        assert [(version["Size"], version["IsLatest"]) for version in listed["Versions"]] == [(5, True), (7, False)]
        gc.collect()
        assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"later"
    assert copied == [] if is_patched else set(copied) == {b"earlier", b"later", b""}


@pytest.mark.parametrize("is_patched", [False, True])
def test_a_value_is_searched_for_every_type(aws, monkeypatch, is_patched):
    monkeypatch.setattr(XFormedAttributePicker, "__call__", inspect.unwrap(XFormedAttributePicker.__call__))
    if is_patched:
        answer_values_by_their_type()
    searched: list[str] = []
    names = XFormedAttributePicker.get_possible_keys

    def possible_keys(picker: XFormedAttributePicker, context: AttributePickerContext) -> Iterator[str]:
        for name in names(picker, context):
            searched.append(name)
            yield name

    monkeypatch.setattr(XFormedAttributePicker, "get_possible_keys", possible_keys)
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"k": {"S": "a"}, "m": {"M": {"S": {"N": "1"}, "l": {"L": [{"NULL": True}, {"BS": [b"b"]}]}}}}
    dynamodb.put_item(TableName="t", Item=item)
    searched.clear()
    assert dynamodb.get_item(TableName="t", Key={"k": {"S": "a"}})["Item"] == item
    assert ("SS" in searched) is not is_patched


ODD = "incoming/\x01 \x1b[31m%é+&/"


@pytest.mark.parametrize("is_patched", [False, True])
def test_keys_of_versions_are_not_escaped_as_requested(s3, monkeypatch, is_patched):
    monkeypatch.setattr(S3Response, "list_object_versions", inspect.unwrap(S3Response.list_object_versions))
    if is_patched:
        escape_keys_of_versions()
    s3.put_object(Bucket="bucket", Key=f"{ODD}a", Body=b"")
    s3.delete_object(Bucket="bucket", Key=f"{ODD}a")
    if not is_patched:
        with pytest.raises((ClientError, ResponseParserError)):
            s3.list_object_versions(Bucket="bucket")
        return
    listed = s3.list_object_versions(Bucket="bucket", Prefix=ODD)
    assert [version["Key"] for version in listed["Versions"] + listed["DeleteMarkers"]] == [f"{ODD}a"] * 2
    assert listed["Prefix"] == ODD
    listed = s3.list_object_versions(Bucket="bucket", Prefix="incoming/", Delimiter="/")
    assert [prefix["Prefix"] for prefix in listed["CommonPrefixes"]] == [ODD]
    paged = s3.get_paginator("list_object_versions").paginate(Bucket="bucket", PaginationConfig={"PageSize": 1})
    assert [version["Key"] for page in paged for version in page.get("Versions", [])] == [f"{ODD}a"]


def test_copy_ignores_its_precondition(s3):
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/k", CopySourceIfMatch='"another"')
    assert s3.head_object(Bucket="bucket", Key="copy")


def test_object_events_differ_from_those_of_aws(s3):
    sqs, events = client("sqs"), client("events")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    to_event_bridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=to_event_bridge)
    events.put_rule(Name="r", EventPattern='{"source": ["aws.s3"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}])
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    received = [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    assert "eTag" in received[0]["detail"]["object"]


class Interrupted(list[Message]):
    """A list that calls a function at the end of an iteration, as another thread could."""

    def __init__(self, items: list[Message], then: Callable[[], None]) -> None:
        super().__init__(items)
        self._then = then

    def __iter__(self) -> Iterator[Message]:
        yield from list(super().__iter__())
        then, self._then = self._then, lambda: None
        then()


@pytest.fixture
def queue(aws):
    client("sqs").create_queue(QueueName="q")
    return sqs_backends[ACCOUNT][REGION].get_queue("q")


def test_a_message_sent_while_another_is_deleted_is_lost(queue):
    first, second = Message("1", "first"), Message("2", "second")
    first.receipt_handle = "handle"
    queue._messages = Interrupted([first], then=lambda: queue.add_message(second))
    queue.delete_message("handle")
    assert queue._messages == []


def test_the_service_of_a_host_is_looked_up_for_each_request(monkeypatch):
    lookups: list[int] = []

    def look_up() -> list[str]:
        lookups.append(1)
        return []

    monkeypatch.setattr(backends, "list_of_moto_modules", look_up)
    dispatcher = DomainDispatcherApplication(create_backend_app)
    for _ in range(2):
        assert dispatcher.get_backend_for_host("sqs.us-east-1.amazonaws.com") == "sqs"
    assert len(lookups) == 2


def test_all_messages_are_counted_to_get_the_retention_period(queue, monkeypatch):
    counted: list[Queue] = []

    def messages(self: Queue) -> list[Message]:
        counted.append(self)
        return []

    monkeypatch.setattr(Queue, "messages", property(messages))
    message = Message("1", "body")
    message.mark_sent()
    sqs_backends[ACCOUNT][REGION].is_message_valid_based_on_retention_period("q", message)
    assert counted


def test_many_messages_are_deleted_in_one_call(queue):
    messages = [Message(str(number), "") for number in range(3)]
    for message in messages:
        message.mark_received(30)
        queue.add_message(message)
    delete_messages(queue, {messages[0].receipt_handle, messages[2].receipt_handle})
    assert queue._messages == [messages[1]]
    assert QUEUES.acquire(blocking=False)  # and the lock is free again
    QUEUES.release()


def test_rules_do_not_deliver_to_functions(aws):
    rule = Rule("r", ACCOUNT, REGION, None, '{"source": ["s"]}', None, None, "default", "ENABLED")
    rule.put_targets([{"Id": "1", "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}])
    with pytest.raises(NotImplementedError):
        rule.send_to_targets({"source": "s"}, transform_input=False)


def test_job_runs_succeed_by_themselves_and_are_listed_oldest_first(glue):
    started = [glue.start_job_run(JobName="j")["JobRunId"] for _ in range(2)]
    runs = [glue.get_job_runs(JobName="j")["JobRuns"] for _ in range(5)][-1]
    assert [run["Id"] for run in runs] == started
    assert {run["JobRunState"] for run in runs} == {"SUCCEEDED"}


def test_tables_are_updated_from_a_stale_version(glue):
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput={"Name": "t"})
    glue.update_table(DatabaseName="d", TableInput={"Name": "t"}, VersionId="99")
    assert glue.get_table(DatabaseName="d", Name="t")["Table"]["VersionId"] == "2"


def machine(states: Any, definition: dict[str, Any]) -> str:
    created = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE)
    return str(created["stateMachineArn"])


def test_executions_without_a_name_collide(states):
    arn = machine(states, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    states.start_execution(stateMachineArn=arn, input='{"a": 1}')
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=arn, input='{"a": 2}')


def test_stopping_drops_error_and_cause(states):
    arn = machine(states, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}})
    execution = states.start_execution(stateMachineArn=arn, name="e")["executionArn"]
    while not states.get_execution_history(executionArn=execution)["events"]:
        pass  # stopping it sooner is an error in moto
    states.stop_execution(executionArn=execution, error="E", cause="C")
    while (described := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    assert "error" not in described


OF_MOTO = {
    "accept_newlines_in_keys": lambda: RegexConverter(None, ".+").regex == ".+",
    "send_object_events": lambda: (
        parameters(notifications._send_event_bridge_message) == ["account_id", "bucket", "event_name", "key"]
    ),
    "leave_delivery_to_pollers": lambda: "lambda_event_source_mappings" in inspect.getsource(Queue.add_message),
    "invoke_functions": lambda: "docker" in inspect.getsource(LambdaFunction._invoke_lambda),
    "invoke_functions, signature": lambda: (
        parameters(LambdaFunction.invoke) == ["self", "body", "request_headers", "response_headers"]
    ),
    "update_jobs": lambda: not hasattr(GlueResponse, "update_job"),
    "run_jobs": lambda: not hasattr(GlueResponse, "batch_stop_job_run"),
    "interpret_state_machines": lambda: default_user_config["stepfunctions"]["execute_state_machine"] is False,
    "share_clients": lambda: boto_client.boto3 is boto3,
    "report_executions": lambda: (
        callable(BaseExecutionWorkerCommunication(SimpleNamespace()).terminated)
        and isinstance(inspect.getattr_static(Execution, "status"), property)
        and "self.exec_worker" in inspect.getsource(Execution.start)
    ),
    "wait_for_job_runs": lambda: (
        ResourceCondition.WaitForTaskToken not in state_task_service_glue._SUPPORTED_INTEGRATION_PATTERNS
        and "STOPPED" not in state_task_service_glue._JOB_RUN_STATE_ABNORMAL_TERMINAL_VALUE
    ),
    "wait_for_job_runs, its poll": lambda: (
        callback._DELAY_SECONDS_SYNC_CONDITION_CHECK == 0.5
        and "callback_endpoint.interrupt_all()"
        in inspect.getsource(callback.StateTaskServiceCallback._eval_integration_pattern)
    ),
    "name_errors_as_aws_does": lambda: (
        "s3" not in state_task_service_aws_sdk._SERVICE_ERROR_NAMES
        and "eventbridge" not in state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
    ),
}
"""A check of moto's own code for each patch."""


@pytest.mark.parametrize("patch", OF_MOTO)
def test_moto_is_still_as_the_patch_expects(patch):
    assert OF_MOTO[patch]()


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)
