"""A run of the job maintain-lake, from its start to what it did."""

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
_OVER = {_SUCCEEDED, "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}
_POLL_SECONDS = 1.0
_COLUMNS = ("table", "files", "size", "manifests", "states", "rejected rows removed", "stray files removed")


@dataclass
class Maintenance(Operation):
    """The lake's maintenance."""

    stack: Stack
    name: str = field(default="maintain", init=False)
    _run_id: str = field(default="", init=False)
    _run: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def amount(self) -> str:
        """There is one."""
        return "the lake"

    def plan(self) -> list[RenderableType]:
        """What is done; how much of it there is the job finds out."""
        return ["old text of rejected rows, small files, states of more than 3 days, stray files"]

    def plan_as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"job": self._job}

    def send(self) -> None:
        """Start a run of the job.

        Raises:
            CommandError: one runs already.
        """
        try:
            self._run_id = self.stack.client("glue").start_job_run(JobName=self._job)["JobRunId"]
        except ClientError as error:
            if error_code(error) != "ConcurrentRunsExceededException":
                raise
            raise CommandError(
                "the lake is being maintained already",
                next_steps=["music-streams maintain     again when that has ended, if it is still needed"],
            ) from error

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Until the run is over."""
        glue = self.stack.client("glue")
        began = time.monotonic()
        told = began - output.PROGRESS_SECONDS
        while self._state not in _OVER:
            now = time.monotonic()
            if now - began > timeout_seconds:
                raise TimedOut(
                    f"the run {self._run_id} did not end in time; it goes on without this command",
                    next_steps=[self._look_up],
                )
            self._run = glue.get_job_run(JobName=self._job, RunId=self._run_id)["JobRun"]
            if now - told >= output.PROGRESS_SECONDS:
                output.show(progress, f"{now - began:6.1f} s  {self._state}")
                told = now
            time.sleep(_POLL_SECONDS)

    def result(self) -> list[RenderableType]:
        """Each table before and after, or why the run failed."""
        if self.has_trouble:
            return [
                f"{self._state} {self._run_id}: {self._run.get('ErrorMessage', 'no error was told')}",
                f"  next: {self._look_up}",
                "  next: once the cause is mended, again: music-streams maintain",
            ]
        tables = self._tables
        if not tables:
            return ["there are no tables yet: no file was ever taken in"]
        shown = output.table(*_COLUMNS, right=_COLUMNS[1:])
        for each in tables:
            shown.add_row(*_cells(each))
        left = [f"{what} of {each.table}" for each in tables for what in each.left]
        return [shown, *(f"left until next time, because a run was changing them: {what}" for what in left)]

    def result_as_json(self) -> dict[str, Any]:
        """The run and the tables."""
        return {"run": self._run_id, "state": self._state, "tables": [asdict(each) for each in self._tables]}

    @property
    def has_trouble(self) -> bool:
        """Whether the run is over and did not succeed."""
        return self._state in _OVER - {_SUCCEEDED}

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
    def _look_up(self) -> str:
        if self.stack.is_local:
            return "music-streams logs"
        return f"aws glue get-job-run --job-name {self._job} --run-id {self._run_id}"


def _cells(each: TableReport) -> list[str]:
    before, after = each.before, each.after
    return [
        each.table,
        _change(before.data_files, after.data_files),
        f"{display.size(before.data_bytes)} → {display.size(after.data_bytes)}",
        _change(before.manifests, after.manifests),
        _change(before.snapshots, after.snapshots),
        f"{each.rows_removed:,}",
        f"{each.orphans_removed:,}",
    ]


def _change(before: int, after: int) -> str:
    return f"{before:,} → {after:,}"
