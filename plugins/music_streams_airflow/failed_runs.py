"""The queue of failed executions, as an event source for assets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.triggers.base import TriggerEvent

_POLL_SECONDS = 2
_LONG_POLL_SECONDS = 10


class FailedRunsTrigger(BaseEventTrigger):  # type: ignore[misc]  # Airflow has an environment of its own
    """Fires for messages of the pipeline's FailedRunsQueue.

    The triggerer looks up the queue's URL, so that parsing a DAG makes no call to AWS.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments of the constructor."""
        return f"{__name__}.{type(self).__name__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Receive and delete messages. If one is lost, the scheduled reconciliation finds the failed files."""
        from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger  # noqa: PLC0415 - it imports boto3

        queue = await asyncio.to_thread(_queue)
        messages = SqsSensorTrigger(
            queue, aws_conn_id=None, max_messages=10, wait_time_seconds=_LONG_POLL_SECONDS, waiter_delay=_POLL_SECONDS
        )
        async for event in messages.run():
            yield event


def _queue() -> str:
    from music_streams.stack import find_stack  # noqa: PLC0415 - Airflow imports this file in every process

    return find_stack().output("FailedRunsQueueUrl")
