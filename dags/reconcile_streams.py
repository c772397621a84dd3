"""Check that no file is missing and that the metrics are right, repair discrepancies, and write a report.

The run waits for files in flight, inspects, plans, requests repairs through the pipeline's queue, waits for them, and
inspects again. It fails if a gap is left: see the tab *Reconciliation*, then docs/runbooks.md, section 3.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, get_current_context, task
from music_streams_airflow import overdue, repairs
from music_streams_airflow.exceptions import AirflowFailException
from music_streams_airflow.settled import UntilSettled

from music_streams import policy

if TYPE_CHECKING:
    from music_streams.reconcile.reconciler import Reconciler
    from music_streams.reconcile.report_drafts import Drafts

DAG_ID = "reconcile_streams"


@dag(
    DAG_ID,
    schedule=f"*/{policy.RECONCILE_EVERY_MINUTES} * * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=policy.RECONCILE_TIMEOUT_MINUTES),
    doc_md=__doc__,
    tags=["music-streams"],
    render_template_as_native_obj=True,
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            description="UTC date of arrival; none: today and yesterday. Unfinished files are always inspected.",
        ),
        "dry_run": Param(False, type="boolean", description="Only report; a gap does not fail the run."),
        "redrive": Param(True, type="boolean", description="Request repairs of all kinds; false: only inspect."),
        "max_redrive": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=policy.MOST_REPAIRS,
            description="Maximum number of repairs of all kinds; none: the stack's MaxRepairs.",
        ),
        "prefix": Param("", type="string", description="Only files whose key starts with it."),
        "grace_seconds": Param(
            None,
            type=["null", "number"],
            minimum=0,
            description="A file that changed or landed more recently is in flight; none: the stack's StallSeconds.",
        ),
    },
    **overdue.deadline(DAG_ID, timedelta(minutes=policy.RECONCILE_OVERDUE_MINUTES)),
)
def reconcile_streams() -> None:
    """Build the DAG."""
    settled = UntilSettled(
        task_id="wait_until_settled",
        prefix="{{ params.prefix }}",
        grace_seconds="{{ params.grace_seconds }}",
        patience=timedelta(minutes=policy.SETTLE_WAIT_MINUTES),
    )

    @task
    def take_stock() -> str:
        """Inspect files and days. Returns the findings as one sentence."""
        from music_streams.reconcile.reconciler import window_of  # noqa: PLC0415

        reconciler, drafts = _parts()
        params = get_current_context()["params"]
        return drafts.write_inspection("before", reconciler.inspect(window_of(params["day"], params["prefix"])))

    @task
    def plan() -> list[dict[str, Any]]:
        """Choose repairs, up to the limit. Returns the repairs to request: none in a dry run."""
        reconciler, drafts = _parts()
        params = get_current_context()["params"]
        new_plan = reconciler.plan(drafts.inspection("before").findings, params["max_redrive"])
        drafts.write_plan(new_plan)
        has_requests = params["redrive"] and not params["dry_run"]
        return [repair.as_json() for repair in new_plan.repairs] if has_requests else []

    @task(map_index_template="{{ name }}", retries=3, retry_delay=timedelta(seconds=10))
    def repair(repair_json: dict[str, Any]) -> None:
        """Request one repair. This is idempotent."""
        get_current_context()["name"] = repairs.name(repair_json)
        repairs.request([repair_json])

    @task(trigger_rule="none_failed")
    def verify(requested: list[dict[str, Any]]) -> str:
        """Inspect the same files and days again, if repairs were requested."""
        reconciler, drafts = _parts()
        before = drafts.inspection("before").findings
        if not requested:
            return before.sentence
        return drafts.write_inspection("after", reconciler.inspect(before.window, [day.day for day in before.days]))

    @task(trigger_rule="none_failed")
    def verdict(requested: list[dict[str, Any]]) -> str:
        """Write the report and return its URI; fail if a gap is left, except in a dry run."""
        context = get_current_context()
        reconciler, drafts = _parts()
        is_dry = bool(context["params"]["dry_run"])
        report, records = drafts.report(context["run_id"], dry_run=is_dry, is_asked=bool(requested))
        uri = reconciler.report(report, records)
        if not (report.is_whole or is_dry):
            raise AirflowFailException(f"{report.findings.sentence}; report: {uri}; see docs/runbooks.md#3-states")
        return uri

    repairs_to_request = plan()
    patience = timedelta(minutes=policy.REPAIR_WAIT_MINUTES)
    waited = UntilSettled(
        task_id="wait_for_repairs",
        repairs=repairs_to_request,
        patience=patience,
        poll_interval=2.0,
        trigger_rule="none_failed",
    )
    settled >> take_stock() >> repairs_to_request
    repair.expand(repair_json=repairs_to_request) >> waited >> verify(repairs_to_request) >> verdict(repairs_to_request)


def _parts() -> "tuple[Reconciler, Drafts]":
    """Return the reconciler and the drafts of this run. Imports are local, so that parsing the DAG stays fast."""
    from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
    from music_streams.reconcile.report_drafts import Drafts  # noqa: PLC0415
    from music_streams.stack import find_stack  # noqa: PLC0415

    context = get_current_context()
    stack = find_stack()
    drafts = Drafts(stack.s3, stack.lake_bucket, context["run_id"])
    return Reconciler(stack, grace_seconds=context["params"]["grace_seconds"]), drafts


reconcile_streams()
