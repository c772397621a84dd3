"""Queues that invoke functions: a poller for each event source mapping, with AWS's batches, windows and failures.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import json
import threading
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from moto.awslambda.models import lambda_backends
from moto.sqs.models import sqs_backends

from local.aws import ACCOUNT
from local.lambda_service import LARGEST_SYNCHRONOUS_REQUEST, LambdaService
from local.lambda_workers import Throttled
from local.log import CloudLog
from local.loose_types import Json, Moto
from local.moto_patches.queues import delete_messages

CONCURRENCY_AT_START = 5  # Lambda's number before it scales; one machine gains nothing from more
_IDLE_WAIT = 0.2  # seconds between two polls of an empty queue; a new message ends the wait
_LARGEST_RECEIVE = 200  # messages in one call
_ENVELOPE = len('{"Records": []}')


class Batch:
    """The records of one invocation, within the mapping's size and window and Lambda's payload limit."""

    def __init__(self, size: int, window: float, now: float) -> None:
        self._size = size
        self._bytes = _ENVELOPE
        self._deadline = now + window
        self.messages: list[Moto] = []
        self.records: list[dict[str, Json]] = []
        self.is_full = False

    @property
    def room(self) -> int:
        """How many more messages fit."""
        return 0 if self.is_full else self._size - len(self.records)

    def add(self, message: Moto, record: dict[str, Json]) -> bool:
        """Add the record; return False, and be full, if the payload would become too large."""
        needed = len(json.dumps(record)) + len(", ")
        if self.records and self._bytes + needed > LARGEST_SYNCHRONOUS_REQUEST:
            self.is_full = True
            return False
        self.messages.append(message)
        self.records.append(record)
        self._bytes += needed
        self.is_full = len(self.records) >= self._size
        return True

    def remaining(self, now: float) -> float:
        """Return the seconds left of the window, which began with the first message."""
        return 0.0 if self.is_full else max(0.0, self._deadline - now)


def failed_items(response: bytes, identifiers: Collection[str]) -> set[str]:
    """Return the message ids that a function reported as failed; all of them if its response is malformed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    all_items = set(identifiers)
    try:
        report = json.loads(response) if response else None
    except ValueError:
        return all_items
    failures = report.get("batchItemFailures") if isinstance(report, dict) else None
    if not failures:  # full success; AWS treats a response that is not a report, such as a string, the same way
        return set()
    if not isinstance(failures, list):
        return all_items
    reported = {failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures}
    return {str(identifier) for identifier in reported} if reported <= all_items else all_items


def record_of(message: Moto, queue: Moto) -> dict[str, Json]:
    """Return a message as functions receive it.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
    """
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
    if message.message_attributes:
        record["md5OfMessageAttributes"] = message.attribute_md5
    return record


def _attribute(value: dict[str, Json]) -> dict[str, Json]:
    attribute: dict[str, Json] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = value["BinaryValue"]
    return attribute


class EventSources:
    """The pollers of all event source mappings."""

    def __init__(self, functions: LambdaService, region: str, log: CloudLog) -> None:
        self._functions = functions
        self._region = region
        self._log = log
        self._pollers: dict[str, _Poller] = {}

    def sync(self) -> None:
        """Start pollers for new mappings and stop those of deleted ones."""
        mappings = dict(lambda_backends[ACCOUNT][self._region]._event_source_mappings)
        for identifier in set(self._pollers) - set(mappings):
            self._pollers.pop(identifier).stop()
        for identifier in set(mappings) - set(self._pollers):
            queues = sqs_backends[ACCOUNT][self._region]
            poller = _Poller(mappings[identifier], queues, self._functions, self._log)
            self._pollers[identifier] = poller

    def stop(self) -> None:
        """Stop receiving messages."""
        for poller in self._pollers.values():
            poller.stop()


class _Poller:
    """Receives messages from one queue and invokes one function with batches of them."""

    def __init__(self, mapping: Moto, queues: Moto, functions: LambdaService, log: CloudLog) -> None:
        self._mapping = mapping
        self._queues = queues
        self._functions = functions
        self._log = log
        self._name = mapping.event_source_arn.split(":")[-1]
        self._function = mapping.function_arn.split(":")[6]
        self._stopping = threading.Event()
        self._left_over: list[Moto] = []  # received, but the previous batch had no room for them
        self._slots = threading.Condition()
        self._busy = 0
        self._invokers = ThreadPoolExecutor(thread_name_prefix=f"batch-{self._name}", max_workers=1000)
        threading.Thread(target=self._poll, daemon=True, name=f"poll-{self._name}").start()

    def stop(self) -> None:
        self._stopping.set()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._mapping.enabled or self._name not in self._queues.queues:
                    self._stopping.wait(_IDLE_WAIT)
                elif self._wait_for_slot():
                    batch = self._collect()
                    if batch is None:
                        self._free_slot()
                    else:
                        self._invokers.submit(self._process, batch)
            except Exception as error:  # noqa: BLE001  a poller must continue after every error
                self._log.write("queue", f"{self._name}: {type(error).__name__}: {error}")
                self._stopping.wait(1)

    @property
    def _concurrency(self) -> int:
        return int((self._mapping.scaling_config or {}).get("MaximumConcurrency") or CONCURRENCY_AT_START)

    def _wait_for_slot(self) -> bool:
        with self._slots:
            if not self._slots.wait_for(lambda: self._busy < self._concurrency, timeout=1):
                return False
            self._busy += 1
            return True

    def _free_slot(self) -> None:
        with self._slots:
            self._busy -= 1
            self._slots.notify_all()

    def _collect(self) -> Batch | None:
        """Return a batch once it is full or its window is over; None if no message came for a while."""
        queue = self._queues.get_queue(self._name)
        messages = self._receive(queue, self._mapping.batch_size)
        if not messages:
            queue.wait_for_messages(_IDLE_WAIT)
            messages = self._receive(queue, self._mapping.batch_size)
        if not messages:
            return None
        window = float(self._mapping.max_batch_window or 0)
        batch = Batch(self._mapping.batch_size, window, time.monotonic())
        self._fill(batch, messages, queue)
        while (seconds_left := batch.remaining(time.monotonic())) > 0 and not self._stopping.is_set():
            queue.wait_for_messages(min(seconds_left, _IDLE_WAIT))
            self._fill(batch, self._receive(queue, batch.room), queue)
        return batch

    def _receive(self, queue: Moto, limit: int) -> list[Moto]:
        messages, self._left_over = self._left_over[:limit], self._left_over[limit:]
        while len(messages) < limit:
            count = min(_LARGEST_RECEIVE, limit - len(messages))
            received = self._queues.receive_message(self._name, count, 0, int(queue.visibility_timeout), ["All"])
            messages += received
            if len(received) < count:
                break
        return messages

    def _fill(self, batch: Batch, messages: Iterable[Moto], queue: Moto) -> None:
        for message in messages:
            if batch.is_full or not batch.add(message, record_of(message, queue)):
                self._left_over.append(message)

    def _process(self, batch: Batch) -> None:
        try:
            identifiers = [message.id for message in batch.messages]
            payload = json.dumps({"Records": batch.records}).encode()
            self._log.write("queue", f"{self._name}: {len(identifiers)} messages → {self._function}")
            failed = self._invoke(payload, identifiers)
            done = {message.receipt_handle for message in batch.messages if message.id not in failed}
            delete_messages(self._queues.get_queue(self._name), done)
            if failed:  # as on AWS, they are received again after their visibility timeout
                self._log.write("queue", f"{self._name}: {len(failed)} of {len(identifiers)} messages failed")
        except Exception as error:  # noqa: BLE001  the messages are received again; the error must be logged
            self._log.write("queue", f"{self._name}: {type(error).__name__}: {error}")
        finally:
            self._free_slot()

    def _invoke(self, payload: bytes, identifiers: list[str]) -> set[str]:
        try:
            result = self._functions.run(self._functions.function(self._mapping.function_arn), payload)
        except Throttled:
            return set(identifiers)
        if result.is_error:
            return set(identifiers)
        if "ReportBatchItemFailures" in (self._mapping.function_response_types or []):
            return failed_items(result.payload, identifiers)
        return set()
