"""Messages that could not be taken again and again: what each is about, and where it goes back to."""

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
from music_streams.state.requests import Attempt, Rebuild

_CHARACTERS_SHOWN = 80  # of what nothing could take
_ABOUT_SHOWN = 160  # characters
# What AWS answers to a message that it takes from nobody
_OF_THE_LETTER = {"RequestTooLargeException", "InvalidRequestContentException", "InvalidMessageContents"}
_MOST_AT_ONCE = 10  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
_HELD_SECONDS = 300  # while somebody looks at them; then others see them again
_WAIT_SECONDS = 1  # a long poll asks all of a queue's servers


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        queue: whose it was, ``arrivals`` or ``failures``.
        url: of the dead-letter queue.
        receipt: by which it is given back or deleted.
        about: what it is about, for people; of one that nothing could take, why, and how it begins.
        payload: what to send where it came from; '' where nothing could take it.
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
        """What it is about, in a line of a table: a sender may name things as it likes."""
        return display.cut(self.about, _ABOUT_SHOWN)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told = {"queue": self.queue, "about": self.about, "received": self.received, "sent_at": self.sent_at}
        return {**told, "can_go_back": self.payload != ""}


@contextmanager
def held(stack: Stack, limit: int) -> Iterator[list[DeadLetter]]:
    """Messages of both queues that nobody else sees meanwhile; what is still listed in the end is given back."""
    letters = _hold(stack, limit)
    try:
        yield letters
    finally:
        sqs = stack.client("sqs")
        for letter in letters:
            with suppress(ClientError):  # it was held for too long, and others see it again already
                sqs.change_message_visibility(QueueUrl=letter.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)


def send_back(stack: Stack, letters: list[DeadLetter]) -> None:
    """Send each that can go where it came from, then delete it and take it off the list. What AWS refuses stays.

    Whatever happens between the two, it is in one place at least.
    """
    sqs, functions = stack.client("sqs"), stack.client("lambda")
    for letter in [each for each in letters if each.payload]:
        try:
            if letter.queue == "arrivals":
                sqs.send_message(QueueUrl=stack.output("ArrivalsQueueUrl"), MessageBody=letter.payload)
            else:
                name = stack.output("RecordFailureFunctionName")
                functions.invoke(FunctionName=name, InvocationType="Event", Payload=letter.payload.encode())
        except ClientError as error:
            if error_code(error) not in _OF_THE_LETTER:
                raise
            continue  # it stays; those behind it go back
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
        found = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(limit, _MOST_AT_ONCE),
            VisibilityTimeout=_HELD_SECONDS,
            WaitTimeSeconds=_WAIT_SECONDS,
            AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        ).get("Messages", [])
        if not found:
            return
        limit -= len(found)
        yield from found


def _read(queue: str, body: str, landing_bucket: str) -> tuple[str, str]:
    """What a message is about, and what to send back; '' where nothing can be done with it."""
    try:
        return (_arrival(body, landing_bucket), body) if queue == "arrivals" else _failure(body)
    except (BadEvent, ValueError) as error:
        return f"{error}: {display.shortened(body, _CHARACTERS_SHOWN)}", ""


def _arrival(body: str, landing_bucket: str) -> str:
    """What a message to validate is about.

    Raises:
        BadEvent: validate can do nothing with it.
    """
    request = requests.parse(body)
    if request is None:
        source = s3_events.source_of(body, landing_bucket)
        return f"file {source.key}" if source else "a file that is not for the pipeline"
    if isinstance(request, Attempt):
        return f"{request.action} of {request.source_id}"
    if isinstance(request, Rebuild):
        return f"rebuild of {display.days(request.days)}"
    return f"forget of user {request.user_id}"


def _failure(body: str) -> tuple[str, str]:
    """What a failure is about, and the event that record_failure takes: itself, or inside what Lambda says of it.

    Raises:
        ValueError: it is no failure.
    """
    content = strict.json_object(body)
    event = strict.mapping(content.get("requestPayload", content))
    detail = event.get("detail")
    for what, state in (("jobName", "state"), ("name", "status")):
        if isinstance(detail, dict) and what in detail and state in detail:
            about = "" if what == "jobName" else "execution "
            return f"{about}{detail[what]} {detail[state]}", json.dumps(event, ensure_ascii=False)
    raise ValueError("the message is no failure of an execution or a job")


_QUEUES = {"arrivals": "ArrivalsDeadLetterQueueUrl", "failures": "FailuresDeadLetterQueueUrl"}
