"""The arrivals queue and the validate function."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from music_streams.errors import MusicStreamsError
from music_streams.ingest.outcomes import Outcome
from music_streams.state.sources import Source
from tests.integration.domain.world import World


def message(source: Source) -> str:
    """Return the event of a source as EventBridge sends it to the queue."""
    s3_object = {"key": source.key, "size": source.size, "version-id": source.version_id}
    detail: dict[str, Any] = {"bucket": {"name": source.bucket}, "object": s3_object}
    kind = {"source": "aws.s3", "detail-type": "Object Created"}
    return json.dumps({**kind, "detail": detail, "time": source.received_at})


def ample_time() -> float:
    """Seconds that are left of the function's time."""
    return 300.0


class Validate:
    """The queue and the function: messages that fail stay in the queue; all messages stay if the function crashes."""

    def __init__(self, world: World, *bodies: str, max_file_bytes: int = 1024**3) -> None:
        self.world = world
        self.max_file_bytes = max_file_bytes
        self.queue = list(bodies)
        self.outcomes: list[Outcome] = []

    def deliver(self, lease_seconds: float = 300.0) -> None:
        batch = self.world.intake(lease_seconds, self.max_file_bytes).start_invocation(ample_time)
        failed = []
        for body in self.queue:
            try:
                self.outcomes.append(batch.process(body))
            except MusicStreamsError:
                failed.append(body)
        batch.launch()
        self.queue = failed

    def deliver_one_by_one_backwards(self, lease_seconds: float) -> None:
        bodies, self.queue = self.queue[::-1], []
        for body in bodies:
            single = Validate(self.world, body)
            single.deliver(lease_seconds)
            self.queue += single.queue


def deliver(world: World, *bodies: str, lease_seconds: float = 300.0) -> Validate:
    """Deliver messages to an invocation of their own."""
    validate = Validate(world, *bodies)
    validate.deliver(lease_seconds)
    return validate


def concurrently(*deliveries: Validate) -> None:
    """Deliver each queue to an invocation of its own, concurrently."""
    begin = threading.Barrier(len(deliveries))

    def deliver(validate: Validate) -> None:
        begin.wait()
        validate.deliver()

    with ThreadPoolExecutor(len(deliveries)) as pool:
        list(pool.map(deliver, deliveries))
