"""The steps of a reconciliation: inspect, plan, request repairs, wait, inspect again, report.

Each step is a method, so that the command line can run all of them in one process, and Airflow each in a task.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from music_streams import clock, policy
from music_streams.aws.alert_sender import Alerts, listed
from music_streams.display import plural
from music_streams.errors import FailureNotRecorded
from music_streams.reconcile import records
from music_streams.reconcile.days import DayInspector
from music_streams.reconcile.files import Evidence, FileInspector, Inventory
from music_streams.reconcile.findings import DayState, FileFinding, Findings, State, Window, counts_of
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.parked import ParkedFiles, ParkedFinder
from music_streams.reconcile.plan import Plan, Repair, plan
from music_streams.reconcile.records import DayRecord
from music_streams.reconcile.reports import Report, Reports
from music_streams.reconcile.stalled import request_message
from music_streams.reconcile.waiting import file_inspector
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action
from music_streams.state.run_files import RunFolder, read_manifest
from music_streams.state.sources import batch_and_attempt
from music_streams.state.statuses import Status

RUNBOOKS: dict[State | DayState, str] = {
    DayState.LAKE_LOST: "docs/runbooks.md#the-lake-is-lost",
    DayState.METRIC_DRIFT: "docs/runbooks.md#metrics-are-wrong-or-lost",
    State.MISSING: "docs/runbooks.md#a-file-landed-and-nothing-happens",
    State.FAILED: "docs/runbooks.md#runs-fail",
    State.STUCK: "docs/runbooks.md#states-of-a-file",
    State.LATE: "docs/runbooks.md#files-are-late",
    State.ORPHAN: "docs/runbooks.md#states-of-a-file",
    State.PARKED: "docs/runbooks.md#states-of-a-file",
}


@dataclass(frozen=True)
class Inspection:
    """The result of an inspection.

    Attributes:
        records: the figures of each date of arrival; none if the window has a prefix.
        songs_digest: identifies the songs versions in force, if no file is PARKED for them; '' otherwise.
    """

    findings: Findings
    records: list[DayRecord]
    songs_digest: str = ""


@dataclass(frozen=True)
class Reconciler:
    """Reconciles a pipeline.

    Attributes:
        grace_seconds: a file that changed or landed more recently is in flight; None: the stack's StallSeconds.
    """

    stack: Stack
    grace_seconds: float | None = None

    def inspect(self, window: Window, days: Iterable[str] = ()) -> Inspection:
        """Compare S3, the ledger, Step Functions, the lake and the metrics of the window's files and of more `days`.

        If the songs changed since the last report, PARKED files of all dates are found.
        """
        now = clock.now()
        file_inspector = self._file_inspector()
        inventory = file_inspector.take_inventory(window)
        files = list(file_inspector.findings(inventory))
        entries = inventory.entries
        of_files = {day for entry in entries for day in entry.days}
        compared = self._day_inspector.compare({*of_files, *days}, self._unfinished_entries(entries, window))
        lost = {day.day for day in compared.days if day.state is DayState.LAKE_LOST}
        without_rows = {entry.source.source_id: entry for entry in entries if _lacks_rows(entry, compared.sources)}
        files = [
            _without_rows(file, without_rows[file.source_id], lost) if file.source_id in without_rows else file
            for file in files
        ]
        parked = ParkedFiles() if lost else self._parked_files(window, entries)  # A lost lake is rebuilt as a whole.
        not_ok = {file.source_id: file for file in [*parked.files, *(f for f in files if f.state is not State.OK)]}
        bad = sorted(not_ok.values(), key=lambda file: file.received_at)
        findings = Findings(
            window,
            now,
            counts_of(bad, sum(file.source_id not in not_ok for file in files)),
            bad,
            compared.days,
            max((entry.published_at for entry in entries), default=""),
        )
        dates = [] if window.prefix else window.dates  # A prefix leaves out files of a date.
        sla = self.stack.policy.latency_sla_seconds
        is_complete = not window.prefix and State.PARKED not in findings.counts
        return Inspection(
            findings,
            [records.record(day, entries, sla, now) for day in dates],
            parked.songs_digest if is_complete else "",
        )

    def plan(self, findings: Findings, max_repairs: int | None = None) -> Plan:
        """Return the repairs to request, at most max_repairs; None: the stack's MaxRepairs."""
        limits = self.stack.policy
        most = limits.max_repairs if max_repairs is None else max_repairs
        return plan(findings, clock.now(), most, limits.attempts_before_quarantine)

    def request_repairs(self, repairs: Sequence[Repair]) -> None:
        """Send the repairs' messages to the arrivals queue. Idempotent. Raises QueueRefused if it rejects some."""
        messages = [repair.message for repair in repairs]
        requests.send(self.stack.client("sqs"), self.stack.output("ArrivalsQueueUrl"), messages)

    def triage(self, execution_arn: str) -> Findings:
        """Return the files of an execution that did not succeed, except those that failed too often.

        Those are left to the next reconciliation.

        Raises:
            FailureNotRecorded: the pipeline has not moved them to FAILED yet; try again in a few seconds.
        """
        batch_id, _ = batch_and_attempt(execution_arn)
        source_ids = read_manifest(self.stack.s3, RunFolder(self.stack.lake_bucket, batch_id)).source_ids
        entries = self.stack.ledger.entries(source_ids).values()
        held = [entry for entry in entries if entry.execution_arn == execution_arn]
        # The execution may have ended before it claimed its files.
        unclaimed = [entry for entry in entries if entry.status is Status.VALID and not entry.execution_arn]
        ended_unclaimed = any(execution_arn == self.stack.executions.arn(e.batch_id, e.attempt) for e in unclaimed)
        if ended_unclaimed or any(entry.status is Status.RUNNING for entry in held):
            raise FailureNotRecorded(f"{execution_arn} ended, but its files are not FAILED yet: try again in seconds")
        retried = [entry for entry in held if entry.failures < self.stack.policy.attempts_before_quarantine]
        inventory = Inventory(Window.of_unfinished(), {entry.source.source_id: Evidence(entry) for entry in retried})
        files = [file for file in self._file_inspector().findings(inventory) if file.state is not State.OK]
        return Findings(inventory.window, clock.now(), counts_of(files, len(retried) - len(files)), files, [])

    def report(self, report: Report, day_records: Sequence[DayRecord]) -> str:
        """Write a report and return its URI; alert the operators about problems that the previous one did not have."""
        reports = Reports(self.stack.s3, self.stack.lake_bucket)
        before = reports.latest()
        known = _problems(before) if before else {}
        # The alert comes first: once the report is written, a retry would consider its problems known.
        problems = _problems(report)
        if new := {text: state for text, state in problems.items() if text not in known}:
            self._alert(report, new, len(problems) - len(new), reports.uri(report))
        return reports.write(report, day_records)

    def _alert(self, report: Report, new: dict[str, State | DayState], known: int, uri: str) -> None:
        if report.dry_run:
            left = "Dry run: no repair was requested."
        elif report.after:
            left = f"These problems remain after {plural(len(report.repairs), 'repair')}."
        else:
            left = "No repair was requested."
        if report.left:
            left += f" {plural(report.left, 'repair')} over the limit: left to the next reconciliation."
        Alerts(self.stack.client("sns"), self.stack.output("AlertsTopicArn")).send(
            f"music-streams: reconciliation: {report.findings.sentence}",
            [
                left,
                "New since the last report:",
                *listed(list(new)),
                *([f"Already reported: {known:,}"] if known else []),
                *(f"What to do about {state}: {RUNBOOKS[state]}" for state in dict.fromkeys(new.values())),
                f"Full report: {uri}",
            ],
        )

    def _file_inspector(self) -> FileInspector:
        return file_inspector(self.stack, self.grace_seconds)

    @cached_property
    def _day_inspector(self) -> DayInspector:
        stack = self.stack
        return DayInspector(
            stack.dynamodb,
            stack.outputs["MetricsTableName"],
            stack.outputs["FilesTableName"],
            LakeReader.of(stack),
            stack.executions,
            track_metrics=stack.outputs.get("PublishTrackMetrics") == "true",
        )

    def _parked_files(self, window: Window, entries: list[Entry]) -> ParkedFiles:
        """Return the files in state PARKED; none if the window has no dates, and so no finished files."""
        if not window.dates:
            return ParkedFiles()
        last = Reports(self.stack.s3, self.stack.lake_bucket).latest()
        return self._parked_finder.find(entries, last, window.prefix)

    @cached_property
    def _parked_finder(self) -> ParkedFinder:
        stack = self.stack
        return ParkedFinder(
            stack.s3,
            stack.ledger,
            LakeReader.of(stack),
            stack.landing_bucket,
            stack.lake_bucket,
            Decimal(stack.policy.max_rejected_ratio),
        )

    def _unfinished_entries(self, entries: list[Entry], window: Window) -> list[Entry]:
        """Return the entries of all unfinished files, whatever their prefix: each may change a day.

        Finished ones may be among them.
        """
        return entries if not window.prefix else self._file_inspector().take_inventory(Window.of_unfinished()).entries


def window_of(day: str | None, prefix: str = "") -> Window:
    """Return the window of one date of arrival, or of today and yesterday."""
    today = datetime.now(UTC).date()
    before = today - timedelta(days=policy.WINDOW_DAYS - 1)
    first, last = (day, day) if day else (before.isoformat(), today.isoformat())
    return Window(first, last, prefix)


def _lacks_rows(entry: Entry, sources: dict[str, set[str]]) -> bool:
    """Whether the lake has no row of a source on a day that the source has listens of."""
    is_counted = entry.status is Status.ARCHIVED and not entry.is_retracted and entry.rows_accepted > 0
    return is_counted and any(entry.source.source_id not in sources.get(day, ()) for day in entry.days)


def _without_rows(file: FileFinding, entry: Entry, lost_days: set[str]) -> FileFinding:
    if file.state is not State.OK:
        return file
    missing = replace(file, state=State.MISSING, why="archived, but the lake lacks rows of it", days=entry.days)
    if lost_days.intersection(entry.days):
        return missing  # The whole lake is lost, so no single file is repaired.
    return replace(missing, message=request_message(entry, Action.REPLAY), attempt=entry.attempt + 1)


def _problems(report: Report) -> dict[str, State | DayState]:
    """Return the text and state of each problem, in the order in which docs/runbooks.md resolves them.

    A PARKED file is a problem only after its replay was requested: a later reconciliation requests the others.
    """
    findings = report.findings
    replayed = {repair.source_id for repair in report.repairs} if report.after else set()
    gaps = [file for file in findings.bad_files if file.state is not State.PARKED or file.source_id in replayed]
    days = {f"{day.state}: {day.day}: {day.why}": day.state for day in findings.bad_days}
    lost = {text: state for text, state in days.items() if state is DayState.LAKE_LOST}
    files = {f"{file.state}: {file.key} ({file.source_id[:8]}): {file.why}": file.state for file in gaps}
    return lost | files | days
