"""On a schedule: prove that what arrived was published and that the metrics are right, and repair gaps.

Waits until what is on its way has settled, looks, plans, asks for repairs through the pipeline's own queue, waits for
them, looks again, and writes a report. Red where a gap is left. What each step means: docs/runbooks.md.
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
            description="UTC date of arrival; none: today and yesterday, and all that is not at its end.",
        ),
        "dry_run": Param(False, type="boolean", description="Only report what would be repaired."),
        "redrive": Param(True, type="boolean", description="Repair; without it gaps turn the run red at once."),
        "max_redrive": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=policy.MOST_REPAIRS,
            description="Repairs of a run at most; none: the stack's MaxRepairs.",
        ),
        "prefix": Param("", type="string", description="Only files whose key begins so, as incoming/radio/."),
        "grace_seconds": Param(
            None,
            type=["null", "number"],
            minimum=0,
            description="What moved less than that ago is on its way; none: the stack's StallSeconds.",
        ),
    },
    **overdue.deadline(DAG_ID, timedelta(minutes=policy.RECONCILE_OVERDUE_MINUTES)),
)
def reconcile_streams() -> None:
    """See the module."""
    settled = UntilSettled(
        task_id="wait_until_settled",
        prefix="{{ params.prefix }}",
        grace_seconds="{{ params.grace_seconds }}",
        patience=timedelta(minutes=policy.SETTLE_WAIT_MINUTES),
    )

    @task
    def take_stock() -> str:
        """Inventory of buckets and ledger, classified; metrics held against the lake. Answers the sentence."""
        from music_streams.reconcile.reconciler import window_of  # noqa: PLC0415

        reconciler, drafts = _parts()
        params = get_current_context()["params"]
        return drafts.write_inspection("before", reconciler.look(window_of(params["day"], params["prefix"])))

    @task
    def plan() -> list[dict[str, Any]]:
        """What to repair, no more than the cap. Answers the repairs to ask for: none in a dry run."""
        reconciler, drafts = _parts()
        params = get_current_context()["params"]
        planned = reconciler.plan(drafts.look("before").findings, params["max_redrive"])
        drafts.write_plan(planned)
        is_asked = params["redrive"] and not params["dry_run"]
        return [repair.as_json() for repair in planned.repairs] if is_asked else []

    @task(map_index_template="{{ name }}", retries=3, retry_delay=timedelta(seconds=10))
    def repair(told: dict[str, Any]) -> None:
        """Ask for one repair; again does no harm."""
        get_current_context()["name"] = repairs.name(told)
        repairs.ask([told])

    @task(trigger_rule="none_failed")
    def verify(asked: list[dict[str, Any]]) -> str:
        """Look again at the same files and days."""
        reconciler, drafts = _parts()
        before = drafts.look("before").findings
        if not asked:
            return before.sentence
        return drafts.write_inspection("after", reconciler.look(before.window, [day.day for day in before.days]))

    @task(trigger_rule="none_failed")
    def verdict(asked: list[dict[str, Any]]) -> str:
        """Write the report; red where a gap is left, but for a dry run. Answers the report's URI."""
        context = get_current_context()
        reconciler, drafts = _parts()
        is_dry = bool(context["params"]["dry_run"])
        report, records = drafts.report(context["run_id"], dry_run=is_dry, is_asked=bool(asked))
        uri = reconciler.report(report, records)
        if not (report.is_whole or is_dry):
            raise AirflowFailException(f"{report.findings.sentence}: see {uri}, and docs/runbooks.md for what to do")
        return uri

    planned = plan()
    patience = timedelta(minutes=policy.REPAIR_WAIT_MINUTES)
    waited = UntilSettled(
        task_id="wait_for_repairs", repairs=planned, patience=patience, poll_interval=2.0, trigger_rule="none_failed"
    )
    settled >> take_stock() >> planned
    repair.expand(told=planned) >> waited >> verify(planned) >> verdict(planned)


def _parts() -> "tuple[Reconciler, Drafts]":
    """What the tasks work with, made where a task runs: where a DAG is parsed, none of it is imported."""
    from music_streams.reconcile.reconciler import Reconciler  # noqa: PLC0415
    from music_streams.reconcile.report_drafts import Drafts  # noqa: PLC0415
    from music_streams.stack import find_stack  # noqa: PLC0415

    context = get_current_context()
    stack = find_stack()
    drafts = Drafts(stack.s3, stack.lake_bucket, context["run_id"])
    return Reconciler(stack, grace_seconds=context["params"]["grace_seconds"]), drafts


reconcile_streams()
