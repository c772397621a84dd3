"""Repairs as tasks hand them on to each other: as JSON, for that is what Airflow keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Told = dict[str, Any]
"""A reconcile.plan.Repair as JSON."""


def ask(repairs: Iterable[Told]) -> None:
    """Put their messages into the arrivals queue; again does no harm."""
    from music_streams.reconcile.plan import Repair  # noqa: PLC0415 - Airflow imports this file in every process
    from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
    from music_streams.stack import find_stack  # noqa: PLC0415

    Reconciler(find_stack()).ask([Repair.from_json(told) for told in repairs])


def name(told: Told) -> str:
    """What the grid calls it: ``redrive streams.csv``."""
    return f"{told['what']} {told['name']}"
