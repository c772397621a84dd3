"""The arrivals queue, as the function that takes its messages sees it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
_MOST_AT_ONCE = 10


@dataclass(frozen=True)
class ArrivalsQueue:
    """The queue and the client that reaches it."""

    sqs: "SQSClient"
    url: str

    def give_back(self, receipt_handles: Sequence[str]) -> None:
        """Let messages that were not begun be delivered again at once, not after the queue's visibility time-out.

        Where that fails they come after the time-out, so nothing else has to fail with it.
        """
        for start in range(0, len(receipt_handles), _MOST_AT_ONCE):
            some = receipt_handles[start : start + _MOST_AT_ONCE]
            entries = [{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0} for n, handle in enumerate(some)]
            try:
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]  # plain dicts
            except (BotoCoreError, ClientError):
                late = "%s messages come again only after the queue's visibility time-out"
                log.warning(late, len(some), exc_info=True)
