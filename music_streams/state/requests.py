"""What operators ask of the pipeline: messages in the arrivals queue, beside those that S3's events make there.

One door for all that starts work, so that one function with one role does it, in batches, once, whatever dies. An
:class:`Attempt` names the attempt that it is to get over: where the ledger has moved on, it was carried out already.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from music_streams import strict
from music_streams.errors import BadEvent, QueueRefused
from music_streams.state.sources import ID_DIGITS, request_batch_id

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_MOST_AT_ONCE = 10  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_SOURCE_ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")
_MOST_ATTEMPTS = 1_000_000
_MOST_DAYS = 1_000  # a run recomputes them all


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
_KINDS: dict[str, type[Request]] = {"attempt": Attempt, "rebuild": Rebuild, "forget": Forget}
_source_id = partial(strict.text, pattern=_SOURCE_ID, form=f"{ID_DIGITS} hex digits")


def _action(value: object) -> Action:
    if not isinstance(value, str) or value not in list(Action):
        raise ValueError(f"must be one of {', '.join(Action)}")
    return Action(value)


def _days(value: object) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_DAYS:
        raise ValueError(f"must be a list of 1 to {_MOST_DAYS:,} days")
    return [strict.day(each) for each in value]


_CHECKS: dict[type, dict[str, Callable[[object], Any]]] = {
    Attempt: {"source_id": _source_id, "attempt": partial(strict.whole, most=_MOST_ATTEMPTS), "action": _action},
    Rebuild: {"days": _days, "requested_at": strict.timestamp},
    Forget: {"user_id": strict.whole, "requested_at": strict.timestamp},
}
"""The fields of each kind, and the form of each."""


def to_message(request: Request) -> str:
    """The body of a queue message."""
    [kind] = [name for name, made in _KINDS.items() if isinstance(request, made)]
    return json.dumps({"request": kind, **asdict(request)})


def parse(body: str) -> Request | None:
    """The request that a queue message holds; None where it holds something else.

    Raises:
        BadEvent: it says that it is a request, and is not exactly one of those that are known. The error names the
            field and the form that it must have, never the value: that may name a user.
    """
    try:
        content = strict.json_object(body)
    except ValueError:
        return None
    if "request" not in content:
        return None
    name = content.pop("request")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadEvent(f"the message is no request that is known: request must be one of {', '.join(_KINDS)}")
    checks = _CHECKS[kind]
    if content.keys() != checks.keys():
        raise BadEvent(f"the message is no request that is known: {name} has exactly the fields {', '.join(checks)}")
    values = {}
    for field, check in checks.items():
        try:
            values[field] = check(content[field])
        except ValueError as error:
            raise BadEvent(f"the message is no request that is known: {field} of {name} {error}") from None
    return kind(**values)


def send(sqs: "SQSClient", queue_url: str, messages: Sequence[str]) -> None:
    """Put messages into the arrivals queue.

    Raises:
        QueueRefused: some were not taken; those before them were, and may be sent again without harm.
    """
    for start in range(0, len(messages), _MOST_AT_ONCE):
        bodies = messages[start : start + _MOST_AT_ONCE]
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        refused = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])  # type: ignore[arg-type]  # plain dicts
        if refused:
            raise QueueRefused(
                f"the arrivals queue refused {len(refused)} messages: {refused[0].get('Message')}; try again"
            )
