"""The timetable of backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronTriggerTimetable

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction


class DaysOnRequest(CronTriggerTimetable):  # type: ignore[misc]  # Airflow has an environment of its own
    """A run for each UTC day that a backfill asks for, and none by itself.

    Airflow makes backfills only of DAGs with a timetable. A daily schedule would do, but a backfill of "missing runs"
    leaves out each day of which there is a run already, also one of the schedule.
    """

    description = "for each day of a backfill"

    def __init__(self) -> None:
        super().__init__("0 0 * * *", timezone="UTC")

    @property
    def summary(self) -> str:
        """What the page of the DAG says."""
        return "on request"

    def serialize(self) -> dict[str, Any]:
        """There is nothing to tell."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DaysOnRequest:  # noqa: ARG003 - as Airflow calls it
        """Made anew."""
        return cls()

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next day of a backfill, which catches up; the scheduler, which does not, is told that there is none."""
        if not restriction.catchup:
            return None
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
