"""Requests of operators and of Airflow: messages in the arrivals queue, next to S3's events.

All work starts from this queue, so that one function with one role starts it, in batches, and once even after crashes.
A :class:`SourceRequest` names the attempt that it expects in the ledger; if that has a later one, it was done already.
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
    """What to do with a source."""

    REDRIVE = "redrive"
    """Continue a stalled source, or retry a failed one."""
    REPLAY = "replay"
    """Process an archived source again, with the current code and reference data."""
    RELEASE = "release"
    """Process a quarantined source again, without the limit that it exceeded."""
    RETRACT = "retract"
    """Remove its rows from lake and metrics."""
    PUT_ASIDE = "put_aside"
    """Quarantine a source that failed too often."""


@dataclass(frozen=True)
class SourceRequest:
    """A request to act on a source; `attempt` is the one in the ledger at the time of the request."""

    source_id: str
    attempt: int
    action: Action


@dataclass(frozen=True)
class Rebuild:
    """A request to recompute the metrics of days from the lake; the timestamp distinguishes equal requests."""

    days: list[str]
    requested_at: str

    @property
    def batch_id(self) -> str:
        """Of the run that does it, attempt 1."""
        return request_batch_id("rebuild", self.requested_at, *self.days)


@dataclass(frozen=True)
class Forget:
    """A request to erase a user's rows from the lake and the files; `requested_at` is a timestamp."""

    user_id: int
    requested_at: str

    @property
    def batch_id(self) -> str:
        """Of the run that does it, attempt 1."""
        return request_batch_id("forget", self.requested_at, str(self.user_id))


Request = SourceRequest | Rebuild | Forget
_KINDS: dict[str, type[Request]] = {"attempt": SourceRequest, "rebuild": Rebuild, "forget": Forget}
_source_id = partial(strict.text, pattern=_SOURCE_ID, form=f"{ID_DIGITS} hex digits")


def _action(value: object) -> Action:
    if not isinstance(value, str) or value not in list(Action):
        raise ValueError(f"must be one of {', '.join(Action)}")
    return Action(value)


def _days(value: object) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_DAYS:
        raise ValueError(f"must be a list of 1 to {_MOST_DAYS:,} days")
    return [strict.day(day) for day in value]


_CHECKS: dict[type, dict[str, Callable[[object], Any]]] = {
    SourceRequest: {"source_id": _source_id, "attempt": partial(strict.whole, most=_MOST_ATTEMPTS), "action": _action},
    Rebuild: {"days": _days, "requested_at": strict.timestamp},
    Forget: {"user_id": strict.whole, "requested_at": strict.timestamp},
}
"""The fields of each kind of request, with their checks."""


def to_message(request: Request) -> str:
    """Return the request as the body of a queue message."""
    [kind] = [name for name, request_type in _KINDS.items() if isinstance(request, request_type)]
    return json.dumps({"request": kind, **asdict(request)})


def parse(body: str) -> Request | None:
    """Parse the request in a queue message; None if the message is something else.

    Raises:
        BadEvent: it has the field `request`, but is not a valid request. The error names the field and its form, never
            the value, which may identify a user.
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
        raise BadEvent(f"the message is not a known request: request must be one of {', '.join(_KINDS)}")
    checks = _CHECKS[kind]
    if content.keys() != checks.keys():
        raise BadEvent(f"the message is not a known request: {name} must have exactly the fields {', '.join(checks)}")
    values = {}
    for field, check in checks.items():
        try:
            values[field] = check(content[field])
        except ValueError as error:
            raise BadEvent(f"the message is not a known request: {field} of {name} {error}") from None
    return kind(**values)


def send(sqs: "SQSClient", queue_url: str, messages: Sequence[str]) -> None:
    """Put messages into the arrivals queue.

    Raises:
        QueueRefused: some were rejected; those before them were sent, and sending them again is idempotent.
    """
    for start in range(0, len(messages), _MOST_AT_ONCE):
        bodies = messages[start : start + _MOST_AT_ONCE]
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])  # type: ignore[arg-type]  # plain dicts
        if failed:
            raise QueueRefused(
                f"the arrivals queue rejected {len(failed)} messages: {failed[0].get('Message')}; try again"
            )
