"""Dead letters: list them with their subjects, and send them back to where they came from."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from music_streams import clock, display, strict
from music_streams.aws.clients import error_code
from music_streams.errors import BadEvent
from music_streams.ingest import s3_events
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.requests import Rebuild, SourceRequest

_CHARACTERS_SHOWN = 80  # of a message that cannot be parsed
_ABOUT_SHOWN = 160  # characters
# AWS rejects the message itself with these codes; a retry cannot succeed.
_REJECTED_MESSAGE = {"RequestTooLargeException", "InvalidRequestContentException", "InvalidMessageContents"}
_MOST_PER_RECEIVE = 10  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
_HELD_SECONDS = 300  # the visibility timeout while a command lists them
_WAIT_SECONDS = 1  # a long poll queries all servers of the queue


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        queue: the queue that it came from, ``arrivals`` or ``failures``.
        url: the URL of the dead-letter queue.
        receipt: the receipt handle, with which it is returned or deleted.
        about: its subject, for display; if it cannot be parsed, the error and its beginning.
        payload: the text to send back; '' if it cannot be parsed.
    """

    queue: str
    url: str
    receipt: str
    about: str
    payload: str
    received: int
    sent_at: str

    @property
    def shown(self) -> str:
        """Return `about`, shortened for a table: senders choose names of any length."""
        return display.cut(self.about, _ABOUT_SHOWN)

    def as_json(self) -> dict[str, Any]:
        """Return the letter as JSON."""
        record = {"queue": self.queue, "about": self.about, "received": self.received, "sent_at": self.sent_at}
        return {**record, "can_go_back": self.payload != ""}


@contextmanager
def held(stack: Stack, limit: int) -> Iterator[list[DeadLetter]]:
    """Receive messages of both queues, hidden from other readers; at exit, return those still in the list."""
    letters = _hold(stack, limit)
    try:
        yield letters
    finally:
        sqs = stack.client("sqs")
        for letter in letters:
            with suppress(ClientError):  # its visibility timeout has passed: it is visible again already
                sqs.change_message_visibility(QueueUrl=letter.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)


def send_back(stack: Stack, letters: list[DeadLetter]) -> None:
    """Send each letter that has a payload back to where it came from, then delete it and remove it from the list.

    A letter that AWS rejects stays. A failure between the two steps leaves it in both places, never in none.
    """
    sqs, functions = stack.client("sqs"), stack.client("lambda")
    for letter in [letter for letter in letters if letter.payload]:
        try:
            if letter.queue == "arrivals":
                sqs.send_message(QueueUrl=stack.output("ArrivalsQueueUrl"), MessageBody=letter.payload)
            else:
                name = stack.output("RecordFailureFunctionName")
                functions.invoke(FunctionName=name, InvocationType="Event", Payload=letter.payload.encode())
        except ClientError as error:
            if error_code(error) not in _REJECTED_MESSAGE:
                raise
            continue  # this one stays; the next ones can still be sent back
        sqs.delete_message(QueueUrl=letter.url, ReceiptHandle=letter.receipt)
        letters.remove(letter)


def _hold(stack: Stack, limit: int) -> list[DeadLetter]:
    sqs = stack.client("sqs")
    letters: list[DeadLetter] = []
    for queue, name in _QUEUES.items():
        url = stack.output(name)
        for message in _received(sqs, url, limit - len(letters)):
            about, payload = _read(queue, message["Body"], stack.landing_bucket)
            attributes = message["Attributes"]
            sent_at = clock.timestamp(datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC))
            received = int(attributes["ApproximateReceiveCount"])
            letters.append(DeadLetter(queue, url, message["ReceiptHandle"], about, payload, received, sent_at))
    return letters


def _received(sqs: Any, url: str, limit: int) -> Iterator[Any]:  # noqa: ANN401 - a botocore client
    while limit > 0:
        messages = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(limit, _MOST_PER_RECEIVE),
            VisibilityTimeout=_HELD_SECONDS,
            WaitTimeSeconds=_WAIT_SECONDS,
            AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        ).get("Messages", [])
        if not messages:
            return
        limit -= len(messages)
        yield from messages


def _read(queue: str, body: str, landing_bucket: str) -> tuple[str, str]:
    """Return the subject of a message, and its payload; '' if it cannot be parsed."""
    try:
        return (_arrival(body, landing_bucket), body) if queue == "arrivals" else _failure(body)
    except (BadEvent, ValueError) as error:
        return f"{error}: {display.shortened(body, _CHARACTERS_SHOWN)}", ""


def _arrival(body: str, landing_bucket: str) -> str:
    """Return the subject of a message to validate. Raises BadEvent if it is neither an event nor a request."""
    request = requests.parse(body)
    if request is None:
        source = s3_events.source_of(body, landing_bucket)
        return f"file {source.key}" if source else "a file that the pipeline does not process"
    if isinstance(request, SourceRequest):
        return f"{request.action} of {request.source_id}"
    if isinstance(request, Rebuild):
        return f"rebuild of {display.days(request.days)}"
    return f"forget of user {request.user_id}"


def _failure(body: str) -> tuple[str, str]:
    """Return the subject of a failure, and the event for record_failure: the body, or the payload in Lambda's record.

    Raises:
        ValueError: it is not a failure event.
    """
    content = strict.json_object(body)
    event = strict.mapping(content.get("requestPayload", content))
    detail = event.get("detail")
    for name, state in (("jobName", "state"), ("name", "status")):
        if isinstance(detail, dict) and name in detail and state in detail:
            about = "" if name == "jobName" else "execution "
            return f"{about}{detail[name]} {detail[state]}", json.dumps(event, ensure_ascii=False)
    raise ValueError("the message is not a failure event of an execution or a job")


_QUEUES = {"arrivals": "ArrivalsDeadLetterQueueUrl", "failures": "FailuresDeadLetterQueueUrl"}
