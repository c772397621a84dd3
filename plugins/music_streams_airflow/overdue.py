"""Alert if a reconciliation does not finish in time.

Deadlines exist since Airflow 3.1. With an older version the only sign is that reports are missing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta


async def alert(dag_id: str, **_: Any) -> None:  # noqa: ANN401 - arguments of Airflow
    """Send the alert."""
    await asyncio.to_thread(_send, dag_id)


def deadline(dag_id: str, interval: timedelta) -> dict[str, Any]:
    """Return the DAG argument that makes Airflow alert if a run has not finished `interval` after it was queued."""
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
    from music_streams.aws.alert_sender import Alerts  # noqa: PLC0415 - Airflow imports this file in every process
    from music_streams.stack import find_stack  # noqa: PLC0415

    stack = find_stack()
    Alerts(stack.client("sns"), stack.output("AlertsTopicArn")).send(
        f"music-streams: {dag_id} is overdue",
        [
            f"A run of {dag_id} did not finish in time. Missing files and wrong metrics may not be detected.",
            "What to do: open the run in Airflow; meanwhile run music-streams reconcile.",
            "Runbook: docs/runbooks.md#the-reconciler-is-overdue",
        ],
    )
