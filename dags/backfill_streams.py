"""One day per run: everything that brought listens of the day runs again, with new code and new reference data.

Start it with Airflow's own backfill over a range of days, or trigger it by hand with the parameter `day`.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from music_streams_airflow import repairs
from music_streams_airflow.days_on_request import DaysOnRequest
from music_streams_airflow.exceptions import AirflowFailException
from music_streams_airflow.settled import UntilSettled

from music_streams import policy


@dag(
    "backfill_streams",
    schedule=DaysOnRequest(),
    start_date=datetime(2020, 1, 1),
    catchup=False,
    max_active_runs=policy.BACKFILL_DAYS_AT_ONCE,  # a backfill may ask for fewer
    dagrun_timeout=timedelta(hours=policy.BACKFILL_TIMEOUT_HOURS),
    doc_md=__doc__,
    tags=["music-streams"],
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            description="UTC day of the listens; a backfill over a range needs none: each of its runs has its day.",
        ),
    },
)
def backfill_streams() -> None:
    """See the module."""

    @task
    def which_day() -> str:
        """The day of this run."""
        context = get_current_context()
        run = context["dag_run"]
        if context["params"]["day"]:
            return str(context["params"]["day"])
        if run.run_type == "backfill":
            return f"{run.logical_date:%Y-%m-%d}"
        raise AirflowFailException("which day? trigger it with the parameter day, as {'day': '2024-06-25'}")

    @task
    def find_files(day: str) -> list[dict[str, Any]]:
        """The archived files of the day, as replays."""
        from music_streams.reconcile.backfill import replays  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        return [repair.as_json() for repair in replays(find_stack().ledger, day)]

    @task(retries=3, retry_delay=timedelta(seconds=10))
    def replay(found: list[dict[str, Any]]) -> None:
        """Ask for all of them at once: they share runs of the pipeline."""
        repairs.ask(found)

    @task
    def verify(day: str, found: list[dict[str, Any]], waiting: list[str]) -> str:
        """Red where a file did not come through, or the day's metrics are not what the lake says."""
        from music_streams.reconcile import backfill  # noqa: PLC0415
        from music_streams.reconcile.findings import Window  # noqa: PLC0415
        from music_streams.reconcile.plan import Repair  # noqa: PLC0415
        from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        stack = find_stack()
        if waiting:
            raise AirflowFailException(f"{len(waiting)} files did not end in time: {', '.join(waiting[:10])}")
        if failed := backfill.failed(stack.ledger, [Repair.from_json(told) for told in found]):
            told = [f"{entry.source.key}: {entry.status} {entry.reason}" for entry in failed[:10]]
            raise AirflowFailException(f"{len(failed)} of {len(found)} files did not come through: {'; '.join(told)}")
        days = Reconciler(stack).look(Window.of_moving(), [day]).findings.bad_days
        if days:
            raise AirflowFailException(f"{days[0].day} {days[0].state}: {'; '.join(days[0].differences)}")
        return f"{day}: {len(found)} files ran again, and its metrics are what the lake says"

    day = which_day()
    found = find_files(day)
    patience = timedelta(hours=policy.BACKFILL_WAIT_HOURS)
    waiting = UntilSettled(task_id="wait_for_files", repairs=found, patience=patience)
    replay(found) >> waiting
    verify(day, found, waiting.output)


backfill_streams()
