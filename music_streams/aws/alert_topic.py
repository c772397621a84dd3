"""Alerts to the operators' topic: what happened, to which object, and what to do.

Keys, column names and error messages come from outside and are sent on by mail and chat. So every alert is made safe
here, and no caller has to think of it: one line stays one line, whatever name is in it, and the size is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams import display

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_MAX_SUBJECT = 100  # characters, printable ASCII: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_LISTED = 50
"""Files, or other things of one kind, that an alert names; of the rest it gives the number."""
MAX_LINE = 500
"""Characters of a line; a longer one loses its middle, because both its ends say what it is about."""
MAX_MESSAGE_BYTES = 240_000
"""Bytes of a message in UTF-8: SNS takes 262,144, attributes included."""


@dataclass(frozen=True)
class Alerts:
    """The topic and the client that publishes to it."""

    sns: "SNSClient"
    topic_arn: str

    def send(self, subject: str, lines: Sequence[str]) -> None:
        r"""Publish one alert.

        Args:
            subject: what is not printable ASCII is sent as `?`; cut at 100 characters.
            lines: one line of text each, the most important first. Line breaks and what else does not print are sent
                as escapes such as ``\n``; see MAX_LINE and MAX_MESSAGE_BYTES.
        """
        safe_subject = "".join(c if c.isascii() and c.isprintable() else "?" for c in subject)[:_MAX_SUBJECT]
        self.sns.publish(TopicArn=self.topic_arn, Subject=safe_subject, Message=_message(lines))


def listed(items: Sequence[str]) -> list[str]:
    """The lines that name many things of one kind: the first of them, and how many more there are."""
    more = [f"and {len(items) - MAX_LISTED:,} more"] if len(items) > MAX_LISTED else []
    return [*items[:MAX_LISTED], *more]


def _message(lines: Sequence[str]) -> str:
    room = MAX_MESSAGE_BYTES - MAX_LINE  # for the line that says what was left out
    kept: list[str] = []
    for line in lines:
        safe = display.cut(display.escaped(line), MAX_LINE)
        room -= len(safe.encode()) + 1  # the line break
        if room < 0:
            return "\n".join([*kept, f"and {len(lines) - len(kept):,} more lines"])
        kept.append(safe)
    return "\n".join(kept)
