"""Waiting without holding a worker slot: for files on their way, for repairs, for a failure to be recorded."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.sdk import Context


class SettledTrigger(BaseTrigger):  # type: ignore[misc]  # Airflow has an environment of its own
    """Fires when nothing is waited for any more, or when patience is at its end.

    The event is ``{"waiting": [names]}``: empty where all is settled.

    Args:
        repairs: repairs (reconcile.plan.Repair as JSON) whose end is awaited; None for the files that are on their way.
        prefix: of the keys of these files.
        grace_seconds: what moved less than that ago is on its way; None: the stack's StallSeconds.
        until: epoch seconds.
        poll_seconds: between two looks.
    """

    def __init__(
        self,
        repairs: list[dict[str, Any]] | None,
        prefix: str,
        grace_seconds: float | None,
        until: float,
        poll_seconds: float,
    ) -> None:
        super().__init__()
        self._repairs, self._prefix, self._grace_seconds = repairs, prefix, grace_seconds
        self._until, self._poll_seconds = until, poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where it is made anew from."""
        return f"{__name__}.{type(self).__name__}", {
            "repairs": self._repairs,
            "prefix": self._prefix,
            "grace_seconds": self._grace_seconds,
            "until": self._until,
            "poll_seconds": self._poll_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again. What sets out later is not waited for: where files keep coming, some always are."""
        waiting = await asyncio.to_thread(self._look)
        while waiting and time.time() < self._until:
            names = list(waiting.values())
            self.log.info("waiting for %s: %s …", len(names), ", ".join(names[:3]))
            await asyncio.sleep(self._poll_seconds)
            found = await asyncio.to_thread(self._look)
            waiting = {each: name for each, name in waiting.items() if each in found}
        yield TriggerEvent({"waiting": list(waiting.values())})

    def _look(self) -> dict[str, str]:
        """Names of what is on its way, by what tells them apart."""
        from music_streams.reconcile import waiting  # noqa: PLC0415 - Airflow imports this file in every process
        from music_streams.reconcile.plan import Repair  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        stack = find_stack()
        if self._repairs is None:
            return waiting.in_flight(stack, self._prefix, self._grace_seconds)
        repairs = [Repair.from_json(told) for told in self._repairs]
        return {repair.message: repair.name for repair in waiting.unsettled(stack, repairs)}


class UntilSettled(BaseSensorOperator):  # type: ignore[misc]
    """Waits, deferred from the start. Answers the names of what had not settled when patience was at its end.

    Args:
        repairs: as :class:`SettledTrigger` takes them.
        prefix: likewise.
        grace_seconds: likewise.
        patience: how long to wait at most; what is not settled by then is found by whoever looks next.
    """

    template_fields: Sequence[str] = ("repairs", "prefix", "grace_seconds")

    def __init__(
        self,
        *,
        patience: timedelta,
        repairs: Any = None,  # noqa: ANN401 - a list, or what a task will answer
        prefix: str = "",
        grace_seconds: Any = None,  # noqa: ANN401 - a number or None, or a template that gives one
        poll_interval: float = 5.0,
        **options: Any,  # noqa: ANN401 - the operator's own
    ) -> None:
        # The scheduler fails a task that is resumed before it has heard of the end of the process that deferred it.
        tried_again = {"retries": 2, "retry_delay": timedelta(seconds=1)}
        super().__init__(poke_interval=poll_interval, **{**tried_again, **options})
        self.repairs = repairs
        self.prefix = prefix
        self.grace_seconds = grace_seconds
        self._patience = patience

    def execute(self, context: Context) -> Any:  # noqa: ANN401, ARG002 - as Airflow has it
        """Hand over to the triggerer."""
        if self.repairs != []:
            grace_seconds = None if self.grace_seconds is None else float(self.grace_seconds)
            until, poll_seconds = time.time() + self._patience.total_seconds(), float(self.poke_interval)
            trigger = SettledTrigger(self.repairs, self.prefix, grace_seconds, until, poll_seconds)
            self.defer(trigger=trigger, method_name="tell")
        return []

    def tell(self, context: Context, event: dict[str, Any]) -> list[str]:  # noqa: ARG002 - as Airflow calls it
        """What the trigger told."""
        waiting: list[str] = event["waiting"]
        if waiting:
            self.log.warning("not settled in time: %s", ", ".join(waiting[:20]))
        return waiting
