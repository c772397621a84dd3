"""Replay all archived files with listens of a day, with the current code and reference data. One run replays one day.

Start it with Airflow's backfill over a range of days, or trigger it by hand with the parameter `day`.
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
    max_active_runs=policy.BACKFILL_DAYS_AT_ONCE,  # A backfill may set a lower limit.
    dagrun_timeout=timedelta(hours=policy.BACKFILL_TIMEOUT_HOURS),
    doc_md=__doc__,
    tags=["music-streams"],
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            description="UTC day of the listens; not needed for a backfill, whose runs have one day each.",
        ),
    },
)
def backfill_streams() -> None:
    """Build the DAG."""

    @task
    def which_day() -> str:
        """Return the day of this run."""
        context = get_current_context()
        run = context["dag_run"]
        if context["params"]["day"]:
            return str(context["params"]["day"])
        if run.run_type == "backfill":
            return f"{run.logical_date:%Y-%m-%d}"
        raise AirflowFailException("the run has no day: trigger it with the parameter day, as {'day': '2024-06-25'}")

    @task
    def find_files(day: str) -> list[dict[str, Any]]:
        """Find the archived files with listens of the day."""
        from music_streams.reconcile import backfill  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        return [repair.as_json() for repair in backfill.replays(find_stack().ledger, day)]

    @task(retries=3, retry_delay=timedelta(seconds=10))
    def replay(requested: list[dict[str, Any]]) -> None:
        """Request the replay of all files at once, so that they share runs of the pipeline."""
        repairs.request(requested)

    @task
    def verify(day: str, requested: list[dict[str, Any]], waiting: list[str]) -> str:
        """Compare the day's metrics with the lake; fail if they differ, or if a file failed or did not finish."""
        from music_streams.reconcile import backfill  # noqa: PLC0415
        from music_streams.reconcile.findings import Window  # noqa: PLC0415
        from music_streams.reconcile.plan import Repair  # noqa: PLC0415
        from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        stack = find_stack()
        if waiting:
            raise AirflowFailException(f"{len(waiting)} files did not finish in time: {', '.join(waiting[:10])}")
        if failed := backfill.failed(stack.ledger, [Repair.from_json(repair) for repair in requested]):
            files = "; ".join(f"{entry.source.key}: {entry.status} {entry.reason}" for entry in failed[:10])
            raise AirflowFailException(f"{len(failed)} of {len(requested)} files were not archived: {files}")
        days = Reconciler(stack).inspect(Window.of_unfinished(), [day]).findings.bad_days
        if days:
            raise AirflowFailException(f"{days[0].day} {days[0].state}: {'; '.join(days[0].differences)}")
        return f"{day}: {len(requested)} files ran again; the day's metrics equal the lake"

    day = which_day()
    replays = find_files(day)
    patience = timedelta(hours=policy.BACKFILL_WAIT_HOURS)
    waiting = UntilSettled(task_id="wait_for_files", repairs=replays, patience=patience)
    replay(replays) >> waiting
    verify(day, replays, waiting.output)


backfill_streams()
