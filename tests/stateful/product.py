"""The product's programs, as its functions and jobs call the domain, with the clients of a process in memory."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from music_streams.aws.alert_topic import Alerts
from music_streams.ingest.intake import Intake
from music_streams.load import job as load_job
from music_streams.run.archive import archive_sources
from music_streams.run.claim import claim_sources
from music_streams.run.executions import Executions
from music_streams.run.failure import FailurePath
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import RunFolder, read_claimed
from music_streams.transform import job as transform_job
from tests.stateful import cloud
from tests.stateful.cloud import LAKE, LANDING, Execution, Hands, Programs
from tests.stateful.files import Reference
from tests.stateful.memory_lake import MemoryBatch, MemoryLake

MAX_REJECTED_RATIO = Decimal("0.4")


def _never() -> bool:
    """Functions are always short of time, so that every slice is an invocation of its own."""
    return False


def _ledger(hands: Hands) -> Ledger:
    return Ledger(cloud.FILES, hands.dynamodb)


def _alerts(hands: Hands) -> Alerts:
    return Alerts(hands.sns, "alerts")


def _quarantine(hands: Hands) -> Quarantine:
    return Quarantine(hands.s3, _ledger(hands), _alerts(hands))


def _job_runs(hands: Hands) -> JobRuns:
    return JobRuns(hands.glue, (cloud.TRANSFORM_JOB, cloud.LOAD_JOB))


def _validate(hands: Hands, bodies: list[str]) -> list[str]:
    """As functions/validate: what could not be taken goes back to the queue alone."""
    intake = Intake(
        s3=hands.s3,
        executions=Executions(hands.step_functions, cloud.STATE_MACHINE_ARN),
        job_runs=_job_runs(hands),
        ledger=_ledger(hands),
        quarantine=_quarantine(hands),
        landing_bucket=LANDING,
        lake_bucket=LAKE,
        timeout_seconds=cloud.LEASE_SECONDS,
        lease_seconds=cloud.LEASE_SECONDS,
        max_file_bytes=1_000,
    )
    batch = intake.open_batch(lambda: float(cloud.LEASE_SECONDS))
    refused = []
    for body in bodies:
        try:
            batch.process(body)
        except Exception:  # noqa: BLE001 - as Powertools' BatchProcessor does
            refused.append(body)
    batch.launch()
    return refused


def _claim(hands: Hands, execution: Execution) -> str:
    claim = claim_sources(hands.s3, _ledger(hands), execution.manifest_uri, execution.arn, _never)
    if claim.left:
        return "claim"
    return "transform" if claim.has_work else "done"


def _load(hands: Hands, execution: Execution) -> str:
    load_job.run(hands.s3, hands.dynamodb, execution.manifest_uri, execution.transform_run, cloud.FILES, cloud.METRICS)
    return "settle"


def _settle(hands: Hands, execution: Execution) -> str:
    settlement = Settlement(hands.s3, hands.events, _ledger(hands), _quarantine(hands))
    left = settlement.settle(execution.manifest_uri, execution.arn, execution.transform_run, _never)
    return "settle" if left else "archive"


def _archive(hands: Hands, execution: Execution) -> str:
    left = archive_sources(hands.s3, _ledger(hands), execution.manifest_uri, execution.arn, _never)
    return "archive" if left else "done"


def _record_failure(hands: Hands, detail: dict[str, Any]) -> None:
    path = FailurePath(hands.s3, _ledger(hands), _alerts(hands), _job_runs(hands), hands.step_functions)
    path.record(detail, lambda: True)


def programs(reference_of: Callable[[str], Reference], *, track_metrics: bool) -> Programs:
    """Every program of the pipeline; an execution reads the reference data of `reference_of` in each of its tries."""

    def transform(hands: Hands, execution: Execution, run_id: str) -> str:
        folder = RunFolder.of_manifest(execution.manifest_uri)
        manifest = read_claimed(hands.s3, folder, execution.name)
        contents = {
            source.source_id: hands.s3.get_object(Bucket=LAKE, Key=folder.key(f"input/{source.input}"))["Body"].read()
            for source in manifest.streams
        }
        batch = MemoryBatch.read(contents, execution.name, reference_of(execution.name)) if contents else None
        task = transform_job.TransformRun(
            folder,
            execution.name,
            run_id,
            LANDING,
            MAX_REJECTED_RATIO,
            1_000,
            publish_track_metrics=track_metrics,
        )
        transform_job.process(hands.s3, task, manifest, batch, MemoryLake(hands.lake, hands.s3))
        return "load"

    return Programs(_validate, _claim, transform, _load, _settle, _archive, _record_failure)
