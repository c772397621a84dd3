"""Stops the Glue job runs of an execution that has ended, so that none of them commits or writes any more.

Step Functions stops the run that it waits for, but does not wait until it has stopped. If Glue started a run and its
answer was lost, Step Functions does not stop that run at all. So runs are found by their argument `--execution`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from music_streams.errors import JobRunsAlive

if TYPE_CHECKING:
    from types_boto3_glue import GlueClient

_ALIVE = {"STARTING", "RUNNING", "WAITING", "STOPPING"}
_LONGEST_RUN = timedelta(hours=3)  # the jobs' timeouts are shorter
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class JobRuns:
    """The runs of the state machine's jobs."""

    glue: "GlueClient"
    jobs: tuple[str, ...]

    def end(self, execution: str, has_time: Callable[[], bool]) -> None:
        """Stop every active job run of the named execution, and wait until all have ended while `has_time` is true.

        Raises:
            JobRunsAlive: runs have not ended in time; a retry waits for them again.
        """
        alive = self._alive(execution)
        for job, run_id in alive:
            self.glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
        while alive:
            if not has_time():
                raise JobRunsAlive(f"job runs of execution {execution} are still stopping: {alive}; try again later")
            time.sleep(_POLL_SECONDS)
            alive = self._alive(execution)

    def _alive(self, execution: str) -> list[tuple[str, str]]:
        return [
            (job, run_id)
            for job in self.jobs
            for run_id, state, arguments in self._recent(job)
            if state in _ALIVE and arguments.get("--execution") == execution
        ]

    def _recent(self, job: str) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Yield id, state and arguments of runs, newest first as Glue lists them, until older ones have timed out."""
        oldest = datetime.now(UTC) - _LONGEST_RUN
        for page in self.glue.get_paginator("get_job_runs").paginate(JobName=job):
            for run in page["JobRuns"]:
                if run["StartedOn"] < oldest:
                    return
                yield run["Id"], run["JobRunState"], dict(run.get("Arguments", {}))
