"""Who watches the reconciler: an alert where a reconciliation is not done in time.

Deadlines came with Airflow 3.1; before it there is none, and the missing reports are what tells.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta


async def alert(dag_id: str, **_: Any) -> None:  # noqa: ANN401 - what Airflow passes along
    """Tell the operators."""
    await asyncio.to_thread(_send, dag_id)


def deadline(dag_id: str, interval: timedelta) -> dict[str, Any]:
    """The argument of a DAG that makes Airflow alert where a run is not done so long after it was queued."""
    try:
        from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # noqa: PLC0415
    except ImportError:
        return {}
    return {
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=interval,
            callback=AsyncCallback(alert, kwargs={"dag_id": dag_id}),
        )
    }


def _send(dag_id: str) -> None:
    from music_streams.aws.alert_topic import Alerts  # noqa: PLC0415 - Airflow imports this file in every process
    from music_streams.stack import find_stack  # noqa: PLC0415

    stack = find_stack()
    Alerts(stack.client("sns"), stack.output("AlertsTopicArn")).send(
        f"music-streams: {dag_id} is overdue",
        [
            f"A run of {dag_id} is not done in time: gaps and drift may go unseen.",
            "What to do: look at the run in Airflow; meanwhile music-streams reconcile does the same by hand.",
        ],
    )
