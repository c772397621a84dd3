"""Repairs as JSON, in which form Airflow passes them between tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

RepairJson = dict[str, Any]
"""A reconcile.plan.Repair as JSON."""


def request(repairs: Iterable[RepairJson]) -> None:
    """Send the repairs' messages to the arrivals queue. Idempotent."""
    from music_streams.reconcile.plan import Repair  # noqa: PLC0415 - Airflow imports this file in every process
    from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
    from music_streams.stack import find_stack  # noqa: PLC0415

    Reconciler(find_stack()).request_repairs([Repair.from_json(repair) for repair in repairs])


def name(repair: RepairJson) -> str:
    """Return its name in the grid: ``redrive streams.csv``."""
    from music_streams.reconcile.plan import RepairKind  # noqa: PLC0415 - Airflow imports this file in every process

    return f"{RepairKind(repair['what']).label} {repair['name']}"
