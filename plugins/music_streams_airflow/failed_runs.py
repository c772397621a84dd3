"""The queue of executions that did not succeed, as an asset that DAGs can be scheduled by."""

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
    """Fires with messages of the pipeline's FailedRunsQueue.

    Which queue that is the triggerer finds out: where a DAG is parsed, nothing of AWS is asked.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where it is made anew from."""
        return f"{__name__}.{type(self).__name__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Receive, and delete what was received: the scheduled reconciliation stands behind."""
        from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger  # noqa: PLC0415 - it brings boto3

        queue = await asyncio.to_thread(_queue)
        messages = SqsSensorTrigger(
            queue, aws_conn_id=None, max_messages=10, wait_time_seconds=_LONG_POLL_SECONDS, waiter_delay=_POLL_SECONDS
        )
        async for event in messages.run():
            yield event


def _queue() -> str:
    from music_streams.stack import find_stack  # noqa: PLC0415 - Airflow imports this file in every process

    return find_stack().output("FailedRunsQueueUrl")
