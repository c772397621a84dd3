"""Run the job maintain-lake and show its result."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from rich.console import RenderableType

from music_streams import display
from music_streams.aws.clients import error_code
from music_streams.maintain import report
from music_streams.maintain.report import TableReport
from music_streams.stack import Stack
from music_streams_cli import output
from music_streams_cli.errors import CommandError, TimedOut
from music_streams_cli.operation import Operation

_SUCCEEDED = "SUCCEEDED"
_ENDED = {_SUCCEEDED, "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}
_POLL_SECONDS = 1.0
_COLUMNS = ("table", "files", "size", "manifests", "snapshots", "rejected rows removed", "stray files removed")


@dataclass
class Maintenance(Operation):
    """The lake's maintenance."""

    stack: Stack
    name: str = field(default="maintain", init=False)
    _run_id: str = field(default="", init=False)
    _run: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def amount(self) -> str:
        """Return what is maintained."""
        return "the lake"

    def plan(self) -> list[RenderableType]:
        """Return what the job does; only the job finds out how much."""
        return ["old rejected rows, small files, snapshots older than 3 days, stray files"]

    def plan_as_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return {"job": self._job}

    def send(self) -> None:
        """Start a run of the job. Raises CommandError if a run is in progress."""
        try:
            self._run_id = self.stack.client("glue").start_job_run(JobName=self._job)["JobRunId"]
        except ClientError as error:
            if error_code(error) != "ConcurrentRunsExceededException":
                raise
            raise CommandError(
                "a run of the lake maintenance is in progress",
                next_steps=["music-streams maintain     run it again when that run has ended, if it is still needed"],
            ) from error

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until the run has ended."""
        glue = self.stack.client("glue")
        began = time.monotonic()
        reported_at = began - output.PROGRESS_SECONDS
        while self._state not in _ENDED:
            now = time.monotonic()
            if now - began > timeout_seconds:
                raise TimedOut(
                    f"timeout: the run {self._run_id} has not finished after {timeout_seconds:g} s; it continues",
                    next_steps=[self._inspect_command],
                )
            self._run = glue.get_job_run(JobName=self._job, RunId=self._run_id)["JobRun"]
            if now - reported_at >= output.PROGRESS_SECONDS:
                output.show(progress, f"{now - began:6.1f} s  {self._state}")
                reported_at = now
            time.sleep(_POLL_SECONDS)

    def result(self) -> list[RenderableType]:
        """Return each table before and after, or why the run failed."""
        if self.has_problems:
            return [
                f"{self._state} {self._run_id}: {self._run.get('ErrorMessage', 'no error message')}",
                f"  next: {self._inspect_command}",
                "  next: after fixing the cause: music-streams maintain",
            ]
        tables = self._tables
        if not tables:
            return ["there are no tables yet: no file has been processed"]
        shown = output.table(*_COLUMNS, right=_COLUMNS[1:])
        for table in tables:
            shown.add_row(*_cells(table))
        left = [f"{left_over} of {table.table}" for table in tables for left_over in table.left]
        return [
            shown,
            *(f"left for the next maintenance, because a run was changing them: {left_over}" for left_over in left),
        ]

    def result_as_json(self) -> dict[str, Any]:
        """Return the run and the tables as JSON."""
        return {"run": self._run_id, "state": self._state, "tables": [asdict(table) for table in self._tables]}

    @property
    def has_problems(self) -> bool:
        """Return whether the run ended without success."""
        return self._state in _ENDED - {_SUCCEEDED}

    @property
    def _tables(self) -> list[TableReport]:
        if self._state != _SUCCEEDED:
            return []
        return report.read(self.stack.s3, self.stack.lake_bucket, self._run_id).tables

    @property
    def _job(self) -> str:
        return self.stack.output("MaintainJobName")

    @property
    def _state(self) -> str:
        return str(self._run.get("JobRunState", ""))

    @property
    def _inspect_command(self) -> str:
        if self.stack.is_local:
            return "music-streams logs"
        return f"aws glue get-job-run --job-name {self._job} --run-id {self._run_id}"


def _cells(table: TableReport) -> list[str]:
    before, after = table.before, table.after
    return [
        table.table,
        _change(before.data_files, after.data_files),
        f"{display.size(before.data_bytes)} → {display.size(after.data_bytes)}",
        _change(before.manifests, after.manifests),
        _change(before.snapshots, after.snapshots),
        f"{table.rows_removed:,}",
        f"{table.orphans_removed:,}",
    ]


def _change(before: int, after: int) -> str:
    return f"{before:,} → {after:,}"
