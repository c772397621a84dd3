"""Dead letters of both queues: their subjects, and that none is lost when they are sent back."""

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.requests import Action, Forget, Rebuild, SourceRequest
from music_streams_cli import dead_letters, output
from tests.integration.cli.conftest import drained
from tests.unit.cli.golden import check

EVENT: dict[str, Any] = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "time": "2026-11-21T21:03:25Z",
    "detail": {"bucket": {"name": "landing"}, "object": {"key": "incoming/a b.csv", "size": 1, "version-id": "v"}},
}
FAILURE = {"detail": {"name": "e1-1", "status": "TIMED_OUT", "executionArn": "arn"}}
LETTERS = {
    "ArrivalsDeadLetterQueueUrl": [
        json.dumps(EVENT),
        requests.to_message(SourceRequest("3f" * 16, 2, Action.REPLAY)),
        requests.to_message(Rebuild(["2024-06-25"], "2026-11-21T21:03:25.000Z")),
        requests.to_message(Forget(4711, "2026-11-21T21:03:25.000Z")),
    ],
    "FailuresDeadLetterQueueUrl": [json.dumps(FAILURE), json.dumps({"requestContext": {}, "requestPayload": FAILURE})],
}


def put(stack, letters: dict[str, list[str]]) -> None:
    for queue, contents in letters.items():
        for body in contents:
            stack.client("sqs").send_message(QueueUrl=stack.output(queue), MessageBody=body)


class Functions:
    """The Lambda client, as far as it is called."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, str, object]] = []
        self.is_broken = False

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803 - boto3 defines the names
        if self.is_broken:
            raise ConnectionError("no answer")
        self.invoked.append((FunctionName, InvocationType, json.loads(Payload)))


@pytest.fixture
def functions(stack, monkeypatch):
    made = Functions()
    client = Stack.client
    monkeypatch.setattr(Stack, "client", lambda self, name: made if name == "lambda" else client(self, name))
    return made


@pytest.fixture(autouse=True)
def no_long_polls(stack, monkeypatch):
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
    yield
    for queue in ("ArrivalsQueueUrl", *LETTERS):
        drained(stack, queue)


def test_list_shows_the_subjects_and_removes_no_message(run, stack, golden):
    put(stack, LETTERS)
    ended = run("dlq", "list")
    assert ended.exit_code == 0, ended.stderr
    check(golden / "dlq list.txt", re.sub(r"\d+ s$", "N s", ended.stdout, flags=re.MULTILINE))
    assert {queue: len(drained(stack, queue)) for queue in LETTERS} == {queue: len(LETTERS[queue]) for queue in LETTERS}


@pytest.mark.parametrize("command", ["dlq list", "dlq redrive --dry-run", "dlq redrive"])
def test_a_letter_of_any_length_is_one_line_and_complete_in_json(run, stack, functions, command):
    name = "x" * 200_000
    key = f"incoming/{'y' * 1_010}.csv"
    arrivals = [json.dumps(EVENT).replace("incoming/a b.csv", key), json.dumps({name: 1})]
    failures = [json.dumps({"detail": {"name": name, "status": "y"}})]
    put(stack, {"ArrivalsDeadLetterQueueUrl": arrivals, "FailuresDeadLetterQueueUrl": failures})
    whole = [letter["about"] for letter in json.loads(run("dlq", "list", "--json").stdout)]
    assert {f"execution {name} y", f"file {key}"} <= set(whole)
    shown = run(*command.split()).stdout
    assert max(map(len, shown.splitlines())) < 250


def test_redrive_sends_letters_back_to_where_they_came_from(run, stack, functions):
    put(stack, LETTERS)
    ended = run("dlq", "redrive")
    assert ended.exit_code == 0, ended.stderr
    assert "sent back: 6 messages\n" in ended.stdout
    assert sorted(drained(stack, "ArrivalsQueueUrl")) == sorted(LETTERS["ArrivalsDeadLetterQueueUrl"])
    assert functions.invoked == [("record-failure", "Event", FAILURE)] * 2
    assert [drained(stack, queue) for queue in LETTERS] == [[], []]


def test_a_letter_that_cannot_be_parsed_stays(run, stack, functions):
    put(stack, {queue: ["no [json] " * 20, '{"detail": 1}'] for queue in LETTERS})
    ended = run("dlq", "redrive")
    assert ended.exit_code == 1
    assert ended.stdout.count("cannot be sent back (not a valid message): ") == 4
    assert functions.invoked == drained(stack, "ArrivalsQueueUrl") == []
    assert [len(drained(stack, queue)) for queue in LETTERS] == [2, 2]


def test_a_dry_run_removes_no_message(run, stack):
    put(stack, LETTERS)
    shown = json.loads(run("dlq", "redrive", "--dry-run", "--json").stdout)
    assert len(shown["plan"]["messages"]) == 6
    assert drained(stack, "ArrivalsQueueUrl") == []
    assert sum(len(drained(stack, queue)) for queue in LETTERS) == 6


def test_without_confirmation_the_letters_stay(run, stack, monkeypatch):
    put(stack, LETTERS)
    monkeypatch.setattr(output, "is_interactive", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    assert run("dlq", "redrive").exit_code == 1
    assert sum(len(drained(stack, queue)) for queue in LETTERS) == 6


def test_if_sending_fails_the_other_letters_stay(run, stack, functions):
    put(stack, LETTERS)
    functions.is_broken = True
    assert isinstance(run("dlq", "redrive").exception, ConnectionError)
    assert len(drained(stack, "ArrivalsQueueUrl")) == 4
    assert [len(drained(stack, queue)) for queue in LETTERS] == [0, 2]


def test_list_shows_no_more_than_the_limit(run, stack):
    put(stack, {"ArrivalsDeadLetterQueueUrl": [json.dumps(EVENT)] * 15})
    assert len(json.loads(run("dlq", "list", "--limit", "12", "--json").stdout)) == 12


def test_an_empty_queue_is_reported(run):
    assert (run("dlq", "list").stdout, run("dlq", "redrive").stdout) == ("no dead letters\n", "no dead letters\n")


def test_a_letter_that_aws_rejects_does_not_block_others(run, stack, functions):
    def reject(Payload: bytes, **_: object) -> None:  # noqa: N803 - boto3 defines the name
        if b"too large" in Payload:
            raise ClientError({"Error": {"Code": "RequestTooLargeException", "Message": ""}}, "Invoke")
        functions.invoked.append(json.loads(Payload))

    functions.invoke = reject
    hostile = {"detail": FAILURE["detail"] | {"status": "too large"}}
    put(stack, {"FailuresDeadLetterQueueUrl": [json.dumps(hostile), json.dumps(FAILURE)]})
    ended = run("dlq", "redrive")
    assert ended.exit_code == 1
    assert "sent back: 1 message\n" in ended.stdout
    assert "still in the queue, because AWS rejected it: execution e1-1 too large" in ended.stdout
    assert functions.invoked == [FAILURE]
    assert [json.loads(body) for body in drained(stack, "FailuresDeadLetterQueueUrl")] == [hostile]


def test_a_letter_keeps_its_size(run, stack, functions):
    failure = {"detail": FAILURE["detail"] | {"x": "é" * 1000}}
    put(stack, {"FailuresDeadLetterQueueUrl": [json.dumps(failure, ensure_ascii=False)]})
    sizes: list[int] = []
    functions.invoke = lambda Payload, **_: sizes.append(len(Payload))  # noqa: N803 - boto3 defines the name
    assert run("dlq", "redrive").exit_code == 0
    assert sizes == [len(json.dumps(failure, ensure_ascii=False).encode())]


HALF_A_PAIR = '{"detail":{"name":"\\ud800","status":"FAILED"}}'


def test_a_letter_with_half_a_surrogate_pair_is_listed_and_does_not_block_others(run, stack, functions):
    put(stack, {"FailuresDeadLetterQueueUrl": [HALF_A_PAIR]})
    [listed] = json.loads(run("dlq", "list", "--json").stdout)
    assert not listed["can_go_back"]
    assert listed["about"] == f"must be a JSON object: {HALF_A_PAIR}"
    put(stack, {"FailuresDeadLetterQueueUrl": [json.dumps(FAILURE)]})
    ended = run("dlq", "redrive", "--yes")
    assert "sent back: 1 message\n" in ended.stdout
    assert [payload for *_, payload in functions.invoked] == [FAILURE]
    assert drained(stack, "FailuresDeadLetterQueueUrl") == [HALF_A_PAIR]
