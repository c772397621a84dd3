"""Deferred waiting, without a worker slot, for files in flight or for repairs to finish."""

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
    """Fires when all files or repairs have finished, or at the deadline.

    The event is ``{"waiting": [names]}`` with what has not finished; the list is empty if everything has.

    Args:
        repairs: the repairs to wait for (reconcile.plan.Repair as JSON); None to wait for the files in flight.
        prefix: key prefix of these files.
        grace_seconds: a file whose status changed less than that ago is in flight; None: the stack's StallSeconds.
        until: deadline, in epoch seconds.
        poll_seconds: time between two polls.
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
        """Return the class path and the arguments of the constructor."""
        return f"{__name__}.{type(self).__name__}", {
            "repairs": self._repairs,
            "prefix": self._prefix,
            "grace_seconds": self._grace_seconds,
            "until": self._until,
            "poll_seconds": self._poll_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until what is in flight at the start has finished. Later files do not count: they may keep arriving."""
        waiting = await asyncio.to_thread(self._poll)
        while waiting and time.time() < self._until:
            names = list(waiting.values())
            self.log.info("waiting for %s: %s …", len(names), ", ".join(names[:3]))
            await asyncio.sleep(self._poll_seconds)
            still_waiting = await asyncio.to_thread(self._poll)
            waiting = {key: name for key, name in waiting.items() if key in still_waiting}
        yield TriggerEvent({"waiting": list(waiting.values())})

    def _poll(self) -> dict[str, str]:
        """Return the names of what has not finished, by a unique key."""
        from music_streams.reconcile import waiting  # noqa: PLC0415 - Airflow imports this file in every process
        from music_streams.reconcile.plan import Repair  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        stack = find_stack()
        if self._repairs is None:
            return waiting.in_flight(stack, self._prefix, self._grace_seconds)
        repairs = [Repair.from_json(repair) for repair in self._repairs]
        return {repair.message: repair.name for repair in waiting.unsettled(stack, repairs)}


class UntilSettled(BaseSensorOperator):  # type: ignore[misc]
    """Waits, deferred from the start. Returns the names of what had not finished at the deadline.

    Args:
        repairs, prefix, grace_seconds: see :class:`SettledTrigger`.
        patience: the longest wait; the next reconciliation finds what has not finished by then.
    """

    template_fields: Sequence[str] = ("repairs", "prefix", "grace_seconds")

    def __init__(
        self,
        *,
        patience: timedelta,
        repairs: Any = None,  # noqa: ANN401 - a list, or a task's output
        prefix: str = "",
        grace_seconds: Any = None,  # noqa: ANN401 - a number, None, or a template of one
        poll_interval: float = 5.0,
        **options: Any,  # noqa: ANN401 - of the base class
    ) -> None:
        # If a trigger fires before the scheduler knows that the deferring process ended, it fails the task.
        retries = {"retries": 2, "retry_delay": timedelta(seconds=1)}
        super().__init__(poke_interval=poll_interval, **{**retries, **options})
        self.repairs = repairs
        self.prefix = prefix
        self.grace_seconds = grace_seconds
        self._patience = patience

    def execute(self, context: Context) -> Any:  # noqa: ANN401, ARG002 - the base class's signature
        """Defer to the triggerer; return at once if there are no repairs."""
        if self.repairs != []:
            grace_seconds = None if self.grace_seconds is None else float(self.grace_seconds)
            until, poll_seconds = time.time() + self._patience.total_seconds(), float(self.poke_interval)
            trigger = SettledTrigger(self.repairs, self.prefix, grace_seconds, until, poll_seconds)
            # Airflow stores the method's name with a waiting task, so the name stays.
            self.defer(trigger=trigger, method_name="tell")  # codespell:ignore tell
        return []

    def tell(self, context: Context, event: dict[str, Any]) -> list[str]:  # noqa: ARG002  # codespell:ignore tell
        """Return what the trigger's event lists, and log it."""
        waiting: list[str] = event["waiting"]
        if waiting:
            self.log.warning("not finished in time: %s", ", ".join(waiting[:20]))
        return waiting
