"""SQS."""

import functools
import threading
import time

from moto.sqs.models import Queue, SQSBackend

from local.loose_types import Moto
from local.moto_patches.locking import under_lock

QUEUES = threading.RLock()
_LONG_POLL_STEP = 1  # seconds


def lock_queues() -> None:
    """Moto's queues are not thread-safe: a message that is sent while another is deleted is lost, and two receivers can
    get the same message.
    """
    receive_now = SQSBackend.receive_message

    @functools.wraps(receive_now)
    def receive_message(
        self: Moto,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Moto]:
        queue = self.get_queue(queue_name)
        remaining = int(wait_seconds_timeout or 0)
        while True:
            with QUEUES:  # not held during the wait below
                messages: list[Moto] = receive_now(
                    self, queue_name, count, 0, visibility_timeout, message_attribute_names
                )
            if messages or remaining <= 0:
                return messages
            queue.wait_for_messages(min(_LONG_POLL_STEP, remaining))
            remaining -= _LONG_POLL_STEP

    SQSBackend.receive_message = receive_message
    under_lock(Queue, ("delete_message",), QUEUES)
    under_lock(SQSBackend, ("change_message_visibility", "purge_queue"), QUEUES)


def look_up_retention() -> None:
    """Moto counts the messages of the whole queue for each one that it returns, only to get the retention period."""

    def is_kept(self: Moto, queue_name: str, message: Moto) -> bool:
        kept_until = self.get_queue(queue_name).message_retention_period + message.sent_timestamp / 1000
        return bool(kept_until > time.time())

    SQSBackend.is_message_valid_based_on_retention_period = is_kept


def leave_delivery_to_pollers() -> None:
    """Moto invokes functions itself: in the sender's thread, with one message at a time, and ignores failed items."""

    def add_message(self: Moto, message: Moto) -> None:
        with QUEUES, self._messages_lock:
            self._messages.append(message)
            self._messages_lock.notify_all()

    Queue.add_message = add_message


def delete_messages(queue: Moto, receipt_handles: set[str]) -> None:
    """Delete many messages in one pass; moto's own way takes a pass over the queue for each."""
    with QUEUES:
        kept = []
        for message in queue._messages:
            if message.receipt_handle in receipt_handles:
                queue.pending_messages.discard(message)
                queue.deleted_messages.update(message.all_receipt_handles)
            else:
                kept.append(message)
        queue._messages = kept
