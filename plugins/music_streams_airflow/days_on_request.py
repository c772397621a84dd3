"""The timetable of backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronTriggerTimetable

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction


class DaysOnRequest(CronTriggerTimetable):  # type: ignore[misc]  # Airflow has an environment of its own
    """Timetable with a run for each UTC day of a backfill, and no scheduled runs.

    Airflow backfills only DAGs that have a timetable. A daily schedule would not do: a backfill of "missing runs" skips
    each day that already has a run, including a scheduled one.
    """

    description = "for each day of a backfill"

    def __init__(self) -> None:
        super().__init__("0 0 * * *", timezone="UTC")

    @property
    def summary(self) -> str:
        """Return the schedule as the DAG's page shows it."""
        return "on request"

    def serialize(self) -> dict[str, Any]:
        """Return no arguments: the timetable has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DaysOnRequest:  # noqa: ARG003 - as Airflow calls it
        """Return a new timetable."""
        return cls()

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next day of a backfill, which catches up; None for the scheduler, which does not."""
        if not restriction.catchup:
            return None
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
