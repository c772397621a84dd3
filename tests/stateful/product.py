"""The product's programs: calls of the domain as in its functions and jobs, with clients in memory."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from music_streams.aws.alert_sender import Alerts
from music_streams.ingest.intake import Intake
from music_streams.load import job as load_job
from music_streams.reference.of_run import ReferenceResult
from music_streams.run.archive import archive_sources
from music_streams.run.claim import claim_sources
from music_streams.run.executions import Executions
from music_streams.run.failure import FailurePath
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import PinnedReference, RunFolder, SourceOutcome, read_claimed
from music_streams.transform import job as transform_job
from tests.stateful import cloud
from tests.stateful.cloud import LAKE, LANDING, Clients, Execution, Programs
from tests.stateful.files import Reference
from tests.stateful.memory_lake import MemoryBatch, MemoryLake

MAX_REJECTED_RATIO = Decimal("0.4")


def _never() -> bool:
    """Say that a function has no time left, so that every slice is a separate invocation."""
    return False


def _ledger(clients: Clients) -> Ledger:
    return Ledger(cloud.FILES, clients.dynamodb)


def _alerts(clients: Clients) -> Alerts:
    return Alerts(clients.sns, "alerts")


def _quarantine(clients: Clients) -> Quarantine:
    return Quarantine(clients.s3, _ledger(clients), _alerts(clients))


def _job_runs(clients: Clients) -> JobRuns:
    return JobRuns(clients.glue, (cloud.TRANSFORM_JOB, cloud.LOAD_JOB))


def _validate(clients: Clients, bodies: list[str]) -> list[str]:
    """Process messages as functions/validate does; return the failed ones, which go back to the queue."""
    intake = Intake(
        s3=clients.s3,
        executions=Executions(clients.step_functions, cloud.STATE_MACHINE_ARN),
        job_runs=_job_runs(clients),
        ledger=_ledger(clients),
        quarantine=_quarantine(clients),
        landing_bucket=LANDING,
        lake_bucket=LAKE,
        timeout_seconds=cloud.LEASE_SECONDS,
        lease_seconds=cloud.LEASE_SECONDS,
        max_file_bytes=1_000,
    )
    batch = intake.start_invocation(lambda: float(cloud.LEASE_SECONDS))
    failed = []
    for body in bodies:
        try:
            batch.process(body)
        except Exception:  # noqa: BLE001 - as Powertools' BatchProcessor does
            failed.append(body)
    batch.launch()
    return failed


def _claim(clients: Clients, execution: Execution) -> str:
    claim = claim_sources(clients.s3, _ledger(clients), execution.manifest_uri, execution.arn, _never)
    if claim.left:
        return "claim"
    return "transform" if claim.has_work else "done"


def _load(clients: Clients, execution: Execution) -> str:
    load_job.run(
        clients.s3, clients.dynamodb, execution.manifest_uri, execution.transform_run, cloud.FILES, cloud.METRICS
    )
    return "settle"


def _settle(clients: Clients, execution: Execution) -> str:
    settlement = Settlement(clients.s3, clients.events, _ledger(clients), _quarantine(clients), 0.2)
    left = settlement.settle(execution.manifest_uri, execution.arn, execution.transform_run, _never)
    return "settle" if left else "archive"


def _archive(clients: Clients, execution: Execution) -> str:
    left = archive_sources(clients.s3, _ledger(clients), execution.manifest_uri, execution.arn, _never)
    return "archive" if left else "done"


def _record_failure(clients: Clients, detail: dict[str, Any]) -> None:
    ledger, alerts, job_runs = _ledger(clients), _alerts(clients), _job_runs(clients)
    path = FailurePath(clients.s3, ledger, alerts, job_runs, clients.step_functions)
    path.record(detail, lambda: True)


def programs(reference_of: Callable[[str], Reference], *, track_metrics: bool) -> Programs:
    """Return every program of the pipeline; all tries of an execution read the reference data of `reference_of`."""

    def transform(clients: Clients, execution: Execution, run_id: str) -> str:
        folder = RunFolder.of_manifest(execution.manifest_uri)
        manifest = read_claimed(clients.s3, folder, execution.name)
        contents = {
            source.source_id: clients.s3.get_object(Bucket=LAKE, Key=folder.key(f"input/{source.input}"))["Body"].read()
            for source in manifest.streams
        }
        songs_and_users = reference_of(execution.name)
        batch = MemoryBatch.read(contents, execution.name, songs_and_users) if contents else None
        outcomes = {source.source_id: SourceOutcome.without_rows() for source in manifest.reference}
        pinned = PinnedReference("", 0, usable_songs=len(songs_and_users.genres))
        task = transform_job.RunSettings(
            folder,
            execution.name,
            run_id,
            LANDING,
            MAX_REJECTED_RATIO,
            1_000,
            publish_track_metrics=track_metrics,
        )
        lake = MemoryLake(clients.lake, clients.s3)
        transform_job.process(clients.s3, task, manifest, ReferenceResult(outcomes, pinned), batch, lake)
        return "load"

    return Programs(_validate, _claim, transform, _load, _settle, _archive, _record_failure)
