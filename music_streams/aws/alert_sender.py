"""Alerts to the operators' topic: what happened, to which object, and what to do.

Keys, column names and error messages are untrusted and are forwarded by mail and chat. Every alert is therefore
escaped here, for all callers: one line stays one line, whatever name it contains, and the size is bounded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams import display

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_MAX_SUBJECT = 100  # characters, printable ASCII: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_LISTED = 50
"""The most files, or other items of one kind, that an alert names; it gives the number of the others."""
MAX_LINE = 500
"""Characters of a line; a longer one is shortened in the middle, because both ends identify its subject."""
MAX_MESSAGE_BYTES = 240_000
"""Bytes of a message in UTF-8: SNS accepts 262,144, attributes included."""
_AFTER_STACK = re.compile("-AlertsTopic(-[0-9A-Za-z]+)?$")  # CloudFormation: name of the stack, resource, random suffix


@dataclass(frozen=True)
class Alerts:
    """The topic and the client that publishes to it."""

    sns: "SNSClient"
    topic_arn: str

    def send(self, subject: str, lines: Sequence[str]) -> None:
        r"""Publish one alert. Its first line names the stack, from the name of the topic.

        Args:
            subject: characters that are not printable ASCII are sent as `?`; cut at 100 characters.
            lines: one line of text each, the most important first. Line breaks and other unprintable characters are
                sent as escapes such as ``\n``; see MAX_LINE and MAX_MESSAGE_BYTES.
        """
        stack = _AFTER_STACK.sub("", self.topic_arn.rpartition(":")[2])
        safe_subject = "".join(c if c.isascii() and c.isprintable() else "?" for c in subject)[:_MAX_SUBJECT]
        self.sns.publish(TopicArn=self.topic_arn, Subject=safe_subject, Message=_message([f"Stack: {stack}", *lines]))


def listed(items: Sequence[str]) -> list[str]:
    """Return the first MAX_LISTED of many items, and a line with the number of the others."""
    more = [f"and {len(items) - MAX_LISTED:,} more"] if len(items) > MAX_LISTED else []
    return [*items[:MAX_LISTED], *more]


def _message(lines: Sequence[str]) -> str:
    room = MAX_MESSAGE_BYTES - MAX_LINE  # reserves the line that counts the omitted ones
    kept: list[str] = []
    for line in lines:
        safe = display.cut(display.escaped(line), MAX_LINE)
        room -= len(safe.encode()) + 1  # the line break
        if room < 0:
            return "\n".join([*kept, f"and {len(lines) - len(kept):,} more lines"])
        kept.append(safe)
    return "\n".join(kept)
