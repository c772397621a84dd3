"""Operations that are not about single files: each request is one run, whose execution shows when it has ended."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType

from music_streams import display
from music_streams.operate import history
from music_streams.run.executions import ALIVE
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.requests import Forget, Rebuild
from music_streams.state.run_files import RunFolder, Summary, read_summary
from music_streams_cli import output
from music_streams_cli.errors import TimedOut
from music_streams_cli.operation import Operation, no_lines

SUCCEEDED = "SUCCEEDED"
_REQUESTED = "REQUESTED"  # its execution has not begun
_POLL_SECONDS = 0.5
_ERROR_CHARACTERS = 400


@dataclass
class Runs(Operation):
    """An operation that consists of runs.

    Attributes:
        about: how much there is to do; '' if there is nothing.
        lines: the plan.
        content: the plan as JSON.
        closing: returns further lines of the result.
        outcome: returns further JSON of the result.
        typed: the text to type on a terminal as confirmation; '' for a yes-or-no question.
    """

    name: str
    stack: Stack
    requested: Sequence[Rebuild | Forget]
    about: str
    lines: list[str]
    content: dict[str, Any]
    closing: Callable[[list[Summary]], list[str]] = no_lines
    outcome: Callable[[list[Summary]], dict[str, Any]] = lambda _: {}
    is_destructive: bool = False
    typed: str = ""
    _statuses: dict[str, str] = field(default_factory=dict)  # of executions by batch_id

    @property
    def amount(self) -> str:
        """Return how much there is to do."""
        return self.about

    def plan(self) -> list[RenderableType]:
        """Return what is to be done, and what is not."""
        return [*self.lines]

    def plan_as_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return self.content

    def confirm(self) -> bool:
        """Ask for confirmation, by a yes or by the text to type."""
        if not self.typed:
            return super().confirm()
        return output.ask(f"type {self.typed} to {self.name} {self.amount}") == self.typed

    def send(self) -> None:
        """Send one request per run to the arrivals queue."""
        messages = [requests.to_message(request) for request in self.requested]
        requests.send(self.stack.client("sqs"), self.stack.output("ArrivalsQueueUrl"), messages)
        self._statuses = {request.batch_id: "" for request in self.requested}

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until every execution has ended."""
        began = reported_at = time.monotonic()
        while waiting := [batch_id for batch_id, status in self._statuses.items() if not _has_ended(status)]:
            now = time.monotonic()
            if now - began > timeout_seconds:
                raise TimedOut(
                    f"timeout: {display.plural(len(waiting), 'run')} not finished after {timeout_seconds:g} s; "
                    "the pipeline continues, only this command has stopped waiting",
                    details=[f"{batch_id}: {self._statuses[batch_id] or _REQUESTED}" for batch_id in waiting[:10]],
                    next_steps=[f"aws stepfunctions describe-execution --execution-arn {self._arn(waiting[0])}"],
                )
            statuses = {batch_id: self.stack.executions.status(self._arn(batch_id)) for batch_id in waiting}
            if statuses.items() - self._statuses.items() or now - reported_at >= output.PROGRESS_SECONDS:
                self._statuses |= statuses
                output.show(progress, f"{now - began:6.1f} s  {self._summary}")
                reported_at = now
            time.sleep(_POLL_SECONDS)

    def result(self) -> list[RenderableType]:
        """Return the recomputed days, and why runs failed."""
        summaries = self._summaries
        days = display.days(_days(summaries)) or "none"
        lines: list[RenderableType] = [self._summary, f"days recomputed: {days}"]
        lines += self.closing(summaries)
        for batch_id in self._failed:
            error = display.shortened(history.error_of(self.stack, self._arn(batch_id)), _ERROR_CHARACTERS)
            lines += [
                "",
                f"{self._statuses[batch_id]} {self._arn(batch_id)}: {error}",
                f"  next: {self._inspect_command(batch_id)}",
                f"  next: after fixing the cause: music-streams {self.name}",
            ]
        return lines

    def result_as_json(self) -> dict[str, Any]:
        """Return the executions and the days as JSON."""
        summaries = self._summaries
        executions = [{"arn": self._arn(batch_id), "status": status} for batch_id, status in self._statuses.items()]
        return {"executions": executions, "days": _days(summaries), **self.outcome(summaries)}

    @property
    def has_problems(self) -> bool:
        """Return whether a run failed."""
        return bool(self._failed)

    @property
    def _summaries(self) -> list[Summary]:
        done = [batch_id for batch_id, status in self._statuses.items() if status == SUCCEEDED]
        return [read_summary(self.stack.s3, RunFolder(self.stack.lake_bucket, batch_id)) for batch_id in done]

    @property
    def _failed(self) -> list[str]:
        return [batch_id for batch_id, status in self._statuses.items() if _has_ended(status) and status != SUCCEEDED]

    @property
    def _summary(self) -> str:
        states = Counter(status or _REQUESTED for status in self._statuses.values())
        return f"{display.plural(len(self._statuses), 'run')}: {', '.join(f'{n} {name}' for name, n in states.items())}"

    def _arn(self, batch_id: str) -> str:
        return self.stack.executions.arn(batch_id, 1)

    def _inspect_command(self, batch_id: str) -> str:
        if self.stack.is_local:
            return f"music-streams logs --batch {batch_id}"
        return f"aws stepfunctions get-execution-history --execution-arn {self._arn(batch_id)}"


def _days(summaries: list[Summary]) -> list[str]:
    return sorted({day for summary in summaries for day in summary.days})


def _has_ended(status: str) -> bool:
    return status != "" and status not in ALIVE
