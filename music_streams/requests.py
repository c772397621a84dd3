"""What operators ask of the pipeline: messages in the arrivals queue, beside those that S3's events make there.

One door for all that starts work, so that one function with one role does it, in batches, once, whatever dies. An
:class:`Attempt` names the attempt that it is to get over: where the ledger has moved on, it was carried out already.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from music_streams.errors import BadEvent, QueueRefused
from music_streams.sources import request_batch_id

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_MOST_AT_ONCE = 10  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html


class Action(StrEnum):
    """What is to become of a source."""

    REDRIVE = "redrive"
    """Go on where it stands still."""
    REPLAY = "replay"
    """An archived source runs again: new code, new reference data."""
    RELEASE = "release"
    """A quarantined source runs, however many of its rows are bad."""
    RETRACT = "retract"
    """Its rows leave lake and metrics."""
    PUT_ASIDE = "put_aside"
    """A source that failed too often is quarantined."""


@dataclass(frozen=True)
class Attempt:
    """Something to do about a source.

    Attributes:
        attempt: the ledger's attempt at the time of asking.
    """

    source_id: str
    attempt: int
    action: Action


@dataclass(frozen=True)
class Rebuild:
    """Days whose metrics are to be computed anew from the lake; `requested_at` is a stamp and tells requests apart."""

    days: list[str]
    requested_at: str

    @property
    def batch_id(self) -> str:
        """Of the run that does it, attempt 1."""
        return request_batch_id("rebuild", self.requested_at, *self.days)


@dataclass(frozen=True)
class Forget:
    """A user whose rows are to leave the lake and the kept files; `requested_at` is a stamp."""

    user_id: int
    requested_at: str

    @property
    def batch_id(self) -> str:
        """Of the run that does it, attempt 1."""
        return request_batch_id("forget", self.requested_at, str(self.user_id))


Request = Attempt | Rebuild | Forget
_KINDS: dict[str, type[Attempt] | type[Rebuild] | type[Forget]] = {
    "attempt": Attempt,
    "rebuild": Rebuild,
    "forget": Forget,
}


def to_message(request: Request) -> str:
    """The body of a queue message."""
    [kind] = [name for name, made in _KINDS.items() if isinstance(request, made)]
    return json.dumps({"request": kind, **asdict(request)})


def parse(body: str) -> Request | None:
    """The request that a queue message holds; None where it holds something else.

    Raises:
        BadEvent: it says that it is a request, and is none that is known.
    """
    try:
        content = json.loads(body)
    except ValueError:
        return None
    if not isinstance(content, dict) or "request" not in content:
        return None
    try:
        request = _KINDS[content.pop("request")](**content)
        return (
            Attempt(request.source_id, int(request.attempt), Action(request.action))
            if isinstance(request, Attempt)
            else request
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadEvent(f"the message is no request that is known ({error!r}): {body[:300]}") from error


def send(sqs: "SQSClient", queue_url: str, messages: Sequence[str]) -> None:
    """Put messages into the arrivals queue.

    Raises:
        QueueRefused: some were not taken; those before them were, and may be sent again without harm.
    """
    for start in range(0, len(messages), _MOST_AT_ONCE):
        entries = [
            {"Id": str(n), "MessageBody": body} for n, body in enumerate(messages[start : start + _MOST_AT_ONCE])
        ]
        refused = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])  # type: ignore[arg-type]  # plain dicts
        if refused:
            raise QueueRefused(
                f"the arrivals queue refused {len(refused)} messages: {refused[0].get('Message')}; try again"
            )
