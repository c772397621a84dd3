"""Retry the files of a failed execution within seconds, unless they failed too often.

Started by the pipeline's queue of failed runs. A failed run of this DAG needs no immediate action: the failed
execution starts the next run, and `reconcile_streams` handles the files that failed too often.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, get_current_context, task
from music_streams_airflow import repairs
from music_streams_airflow.exceptions import AirflowFailException
from music_streams_airflow.failed_runs import FailedRunsTrigger
from music_streams_airflow.settled import UntilSettled

from music_streams import policy

FAILED_RUNS = Asset(
    "music_streams_failed_runs", watchers=[AssetWatcher(name="failed_runs_queue", trigger=FailedRunsTrigger())]
)


@dag(
    "on_execution_failed",
    schedule=[FAILED_RUNS],
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=policy.FAILURES_AT_ONCE,
    dagrun_timeout=timedelta(minutes=policy.ON_FAILURE_TIMEOUT_MINUTES),
    doc_md=__doc__,
    tags=["music-streams"],
)
def on_execution_failed() -> None:
    """Build the DAG."""

    @task(retries=6 * policy.FAILURE_RECORDED_MINUTES, retry_delay=timedelta(seconds=10))
    def triage() -> list[dict[str, Any]]:
        """Choose the files to retry. Retried until the pipeline has recorded the failure and the files are FAILED."""
        from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
        from music_streams.stack import find_stack  # noqa: PLC0415

        reconciler = Reconciler(find_stack(), grace_seconds=0)
        events = [event for of_asset in get_current_context()["triggering_asset_events"].values() for event in of_asset]
        arns = sorted({arn for event in events for arn in _executions(event.extra)})
        plans = [reconciler.plan(reconciler.triage(arn), policy.MOST_REPAIRS) for arn in arns]
        return [repair.as_json() for plan in plans for repair in plan.repairs]

    @task(map_index_template="{{ name }}", retries=3, retry_delay=timedelta(seconds=10))
    def redrive(repair: dict[str, Any]) -> None:
        """Request a new attempt for one file."""
        get_current_context()["name"] = repairs.name(repair)
        repairs.request([repair])

    @task
    def verdict(requested: list[dict[str, Any]], waiting: list[str]) -> None:
        """Fail if a file failed again or did not finish in time."""
        from music_streams.stack import find_stack  # noqa: PLC0415
        from music_streams.state.statuses import Status  # noqa: PLC0415

        entries = find_stack().ledger.entries(repair["source_id"] for repair in requested).values()
        failed = [f"{entry.source.key}: {entry.reason}" for entry in entries if entry.status is Status.FAILED]
        problems = {"failed again": failed, "not finished in time": waiting}
        if texts := [f"{text}: {'; '.join(names[:10])}" for text, names in problems.items() if names]:
            raise AirflowFailException(". ".join(texts))

    requested = triage()
    patience = timedelta(minutes=policy.REPAIR_WAIT_MINUTES)
    waiting = UntilSettled(task_id="wait_for_files", repairs=requested, patience=patience, poll_interval=2.0)
    redrive.expand(repair=requested) >> waiting
    verdict(requested, waiting.output)


def _executions(extra: dict[str, Any]) -> list[str]:
    """Return the ARNs of the executions in the messages of an event."""
    import json  # noqa: PLC0415

    payload = extra.get("payload", extra)
    return [json.loads(message["Body"])["detail"]["executionArn"] for message in payload["message_batch"]]


on_execution_failed()
