"""The arrivals queue, as validate uses it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
_MAX_BATCH = 10


@dataclass(frozen=True)
class ArrivalsQueue:
    """The queue and the client that reaches it."""

    sqs: "SQSClient"
    url: str

    def make_visible(self, receipt_handles: Sequence[str]) -> None:
        """Make messages visible again immediately, instead of after the queue's visibility timeout.

        A failure is only logged: the messages become visible after the timeout.
        """
        for start in range(0, len(receipt_handles), _MAX_BATCH):
            handles = receipt_handles[start : start + _MAX_BATCH]
            entries = [{"Id": str(n), "ReceiptHandle": each, "VisibilityTimeout": 0} for n, each in enumerate(handles)]
            try:
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]  # plain dicts
            except (BotoCoreError, ClientError):
                warning = "cannot make %s messages visible: they stay hidden until the queue's visibility timeout"
                log.warning(warning, len(handles), exc_info=True)
