"""A reconciliation as an operation: its findings are the plan, a second inspection is the result."""

import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType

from music_streams import clock, display
from music_streams.reconcile.findings import FileFinding, Findings, State
from music_streams.reconcile.plan import Plan
from music_streams.reconcile.reconciler import Inspection, Reconciler
from music_streams.reconcile.reports import Report, run_name
from music_streams.reconcile.waiting import unsettled
from music_streams.stack import Stack
from music_streams_cli import output
from music_streams_cli.errors import TimedOut
from music_streams_cli.operation import Operation

_ROWS_SHOWN = 20
_DAYS_SHOWN = 5
_NAME_SHOWN = 32  # characters
_POLL_SECONDS = 1.0
_BY = "command line"
_STYLES = {State.LATE: "yellow", State.PARKED: "yellow", State.IN_FLIGHT: "cyan"}


@dataclass
class Reconciliation(Operation):
    """Finds discrepancies, requests the planned repairs, and inspects again."""

    stack: Stack
    reconciler: Reconciler
    before: Inspection
    planned: Plan
    name: str = "reconcile"
    _after: Inspection | None = field(default=None, init=False)
    _report: str = field(default="", init=False)

    @property
    def amount(self) -> str:
        """Return the number of repairs."""
        return display.plural(len(self.planned.repairs), "repair") if self.planned.repairs else ""

    def plan(self) -> list[RenderableType]:
        """Return the findings and the repairs to request."""
        parts = _findings(self.before.findings)
        if self.planned.repairs:
            table = output.table("repair", "of", "why", elastic="why")
            for repair in self.planned.repairs[:_ROWS_SHOWN]:
                table.add_row(repair.what.label, _short(repair.name), repair.why)
            more = len(self.planned.repairs) - _ROWS_SHOWN
            parts += ["", table, *([f"and {more:,} more"] if more > 0 else [])]
        if self.planned.left:
            left = display.plural(self.planned.left, "repair")
            parts += ["", f"{left} over the limit (--max): left to the next reconciliation"]
        return parts

    def plan_as_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return {
            "findings": self.before.findings.as_json(),
            "repairs": [repair.as_json() for repair in self.planned.repairs],
            "left": self.planned.left,
        }

    def send(self) -> None:
        """Request the repairs."""
        self.reconciler.request_repairs(self.planned.repairs)

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until every repair has ended; then inspect again, and write the report."""
        began = reported_at = time.monotonic()
        while waiting := unsettled(self.stack, self.planned.repairs):
            now = time.monotonic()
            if now - began > timeout_seconds:
                raise TimedOut(
                    f"timeout: {display.plural(len(waiting), 'repair')} not finished after {timeout_seconds:g} s; "
                    "the pipeline continues, only this command has stopped waiting",
                    details=[repair.name for repair in waiting[:10]],
                    next_steps=["music-streams reconcile --dry-run     shows what is left"],
                )
            if now - reported_at >= output.PROGRESS_SECONDS:
                output.show(progress, f"{now - began:6.1f} s  {display.plural(len(waiting), 'repair')} in progress")
                reported_at = now
            time.sleep(_POLL_SECONDS)
        before = self.before.findings
        self._after = self.reconciler.inspect(before.window, [day.day for day in before.days])
        report = Report(
            run_name(before.looked_at),
            _BY,
            dry_run=False,
            before=before,
            after=self._after.findings,
            repairs=self.planned.repairs,
            left=self.planned.left,
            songs_digest=self._after.songs_digest,
        )
        self._report = self.reconciler.report(report, self._after.records)

    def result(self) -> list[RenderableType]:
        """Return the gaps that are left."""
        return ["", *_findings(self._last.findings), "", f"report: {self._report}"]

    def result_as_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {"findings": self._last.findings.as_json(), "report": self._report}

    @property
    def has_problems(self) -> bool:
        """Return whether discrepancies are left."""
        return not self._last.findings.is_whole

    @property
    def _last(self) -> Inspection:
        return self._after or self.before


def _findings(findings: Findings) -> list[RenderableType]:
    """Return the summary, the files with gaps and the days that differ."""
    window = findings.window
    style = "green" if findings.is_whole else "bold red"
    dates = window.first if window.first == window.last else f"{window.first} to {window.last}"
    named = f" {window.prefix}…" if window.prefix else ""
    at = clock.parse(findings.looked_at)
    parts: list[RenderableType] = [
        output.styled((findings.sentence, style)),
        f"files{named} that arrived {dates}, and all that are not finished; read at {at:%H:%M:%S} UTC",
    ]
    if findings.bad_files:
        parts += ["", _table(findings.bad_files[:_ROWS_SHOWN])]
        if len(findings.bad_files) > _ROWS_SHOWN:
            parts.append(f"and {len(findings.bad_files) - _ROWS_SHOWN:,} more: --json lists them")
    for day in findings.bad_days[:_DAYS_SHOWN]:
        parts += ["", f"{day.day} {day.state}: {day.why}"]
        parts += [f"  {text}" for text in day.differences]
        if day.count > len(day.differences):
            parts.append(f"  and {day.count - len(day.differences):,} more")
    if len(findings.bad_days) > _DAYS_SHOWN:
        parts += ["", f"and {len(findings.bad_days) - _DAYS_SHOWN:,} more days: --json lists them"]
    return parts


def _table(files: list[FileFinding]) -> RenderableType:
    table = output.table("file", "state", "why", "source_id", elastic="why", breaking="state")
    for file in files:
        style = _STYLES.get(file.state, "bold red")
        table.add_row(_short(file.name), output.styled((file.state.value, style)), file.why, file.source_id[:8])
    return table


def _short(name: str) -> str:
    """Return a name, shortened to leave room for the other columns."""
    return display.shortened(name, _NAME_SHOWN)
