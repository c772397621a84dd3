"""Alerts to the operators' topic: what happened, to which object, and what to do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_MAX_SUBJECT = 100  # characters, printable ASCII: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html


@dataclass(frozen=True)
class Alerts:
    """The topic and the client that publishes to it."""

    sns: "SNSClient"
    topic_arn: str

    def send(self, subject: str, lines: list[str]) -> None:
        """Publish one alert."""
        safe_subject = "".join(c if c.isascii() and c.isprintable() else "?" for c in subject)[:_MAX_SUBJECT]
        self.sns.publish(TopicArn=self.topic_arn, Subject=safe_subject, Message="\n".join(lines))
