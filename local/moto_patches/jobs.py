"""Glue: job runs and the Data Catalog."""

import functools
import threading

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.glue import models
from moto.glue.exceptions import GlueClientError, JobRunNotFoundException
from moto.glue.responses import GlueResponse

from local.loose_types import Json, Moto
from local.moto_patches.hooks import Hooks
from local.moto_patches.locking import under_lock

CATALOG = threading.RLock()
JOB_RUNS = threading.RLock()
_DPUS = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}  # of a worker


def update_jobs() -> None:
    """Moto has no UpdateJob."""

    def update_job(self: Moto) -> Moto:
        job = self.glue_backend.get_job(self._get_param("JobName"))
        # As on AWS, properties that the update omits get their defaults.
        for name in ("Description", "MaxCapacity", "NonOverridableArguments", "Timeout", "WorkerType"):
            setattr(job, camelcase_to_underscores(name), None)
        job.default_arguments, job.execution_property = {}, {}
        for name, value in self._get_param("JobUpdate").items():
            setattr(job, camelcase_to_underscores(name), value)
        return ActionResult({"JobName": job.name})

    GlueResponse.update_job = update_job


class ProcessJobRun(models.FakeJobRun):  # type: ignore[misc]  # moto is untyped
    """A run whose state is set by the code that runs its process."""

    def __init__(self, *args: Moto, **kwargs: Moto) -> None:
        super().__init__(*args, **kwargs)
        self.completed_on = None
        self.error_message: str | None = None
        self.glue_version: str | None = None
        self.log_group: str | None = None

    @property
    def status(self) -> str:
        """STARTING, RUNNING, STOPPING or a terminal state."""
        return str(self._status)

    @status.setter
    def status(self, value: str) -> None:
        self._status = value

    def as_dict(self) -> dict[str, Json]:
        """Return a JobRun of the API."""
        end = self.completed_on or utcnow()
        job_run = {
            **super().as_dict(),
            "CompletedOn": self.completed_on,
            "ErrorMessage": self.error_message,
            "ExecutionTime": max(0, int((end - self.started_on).total_seconds())),
            "GlueVersion": self.glue_version,
            "LogGroupName": self.log_group,
            "MaxCapacity": self._capacity,
        }
        return {name: value for name, value in job_run.items() if value is not None}

    @property
    def _capacity(self) -> float | None:
        """DPUs: as given, else those of the workers, as Glue reports them."""
        if self.number_of_workers and self.worker_type in _DPUS:
            return float(self.number_of_workers) * _DPUS[self.worker_type]
        return float(self.max_capacity) if self.max_capacity else None


def run_jobs(hooks: Hooks) -> None:
    """Moto's runs succeed whatever the script does, cannot be stopped, and are listed oldest first."""
    accept = models.FakeJob.start_job_run

    @functools.wraps(accept)
    def start_job_run(self: Moto, *args: Moto, **kwargs: Moto) -> str:
        with JOB_RUNS:  # two concurrent starts must not both get the last free run
            run_id = str(accept(self, *args, **kwargs))
            run = self.get_job_run(run_id)
        hooks.start_job_run(self, run)
        return run_id

    def batch_stop_job_run(self: Moto) -> Moto:
        job = self.glue_backend.get_job(self._get_param("JobName"))
        stopped, errors = [], []
        for run_id in self._get_param("JobRunIds"):
            entry = {"JobName": job.name, "JobRunId": run_id}
            try:
                run = job.get_job_run(run_id)
            except JobRunNotFoundException as error:
                detail = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": str(error)}
                errors.append({**entry, "ErrorDetail": detail})
                continue
            hooks.stop_job_run(run)
            stopped.append(entry)
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})

    models.FakeJobRun = ProcessJobRun
    models.FakeJob.get_job_runs = lambda job: job.job_runs[::-1]
    models.FakeJob.start_job_run = start_job_run
    GlueResponse.batch_stop_job_run = batch_stop_job_run


def check_table_versions() -> None:
    """Moto's UpdateTable ignores VersionId: of two commits on the same version, one would be lost."""
    update_any_version = GlueResponse.update_table

    @functools.wraps(update_any_version)
    def update_table(self: Moto) -> Moto:
        with CATALOG:
            table = self.glue_backend.get_table(self._get_param("DatabaseName"), self._get_param("TableInput")["Name"])
            current = str(table._current_version)
            expected = self._get_param("VersionId")
            if expected is not None and str(expected) != current:
                raise GlueClientError(
                    "ConcurrentModificationException",
                    f"Update table failed due to concurrent modifications: version {expected} is not {current}.",
                )
            result = update_any_version(self)
            if self._get_param("SkipArchive"):
                table.delete_version(current)
            return result

    GlueResponse.update_table = update_table
    under_lock(GlueResponse, ("create_table",), CATALOG)
