"""Documents that reconciliations and lake maintenance store: reports, records of days, drafts of the DAG's steps."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from music_streams.maintain import report as maintenance
from music_streams.reconcile.findings import DayFinding, DayState, FileFinding, Findings, State, Window
from music_streams.reconcile.plan import Plan, Repair, RepairKind
from music_streams.reconcile.reconciler import Inspection
from music_streams.reconcile.records import DayRecord, Percentiles
from music_streams.reconcile.report_drafts import Drafts
from music_streams.reconcile.reports import Report, Reports
from music_streams.state.requests import Action, SourceRequest, to_message
from tests.compatibility.stored.kinds import Stored, at_tick, in_s3
from tests.compatibility.stored.run import BATCH, DAY, NEXT_DAY, RUN
from tests.compatibility.stored.sources import ARRIVED, PLAYS
from tests.compatibility.world import LAKE, Document, World

_BARE_FILE = FileFinding(PLAYS.source_id, PLAYS.key, State.FAILED, "its last attempt failed", ARRIVED)
_FILE = replace(
    _BARE_FILE,
    since=at_tick(4),
    status="FAILED",
    reason="no memory",
    attempt=4,
    failures=3,
    message=to_message(SourceRequest(PLAYS.source_id, 3, Action.REDRIVE)),
    days=[DAY],
    is_outlived=True,
)
_ADDED_TO_FILES = ("since", "status", "reason", "attempt", "failures", "message", "days", "is_outlived")
"""Stored fields that are optional to the reader."""
_BAD_DAY = DayFinding(DAY, DayState.METRIC_DRIFT, "the items are not what the lake says", ["a difference"], 1, 7)
_WINDOW = Window(DAY, NEXT_DAY, "incoming/2024")
_FINDINGS = Findings(_WINDOW, ARRIVED, {"OK": 5, "FAILED": 1}, [_FILE], [_BAD_DAY], at_tick(4))
_AFTER = Findings(Window(DAY, NEXT_DAY), at_tick(9), {"OK": 6}, [], [replace(_BAD_DAY, state=DayState.OK)], at_tick(8))
_REPAIRS = [
    Repair(RepairKind.PUT_ASIDE, "plays.csv", "3 attempts failed", "{}", PLAYS.source_id, 4),
    Repair(RepairKind.REBUILD, DAY, "the items are not what the lake says", "{}", batch_id=BATCH),
]
_REPORT = Report("20240626T080005000Z", "command line", False, _FINDINGS, _AFTER, _REPAIRS, 2)
_PLANNED = replace(_REPORT, dry_run=True, after=None)
_ENDS, _VERDICTS, _BAD_ROWS = {"ARCHIVED": 1, "QUARANTINED": 1}, {"too_many_bad_rows": 1}, {"bad_user_id": 3}
_WAITS = Percentiles(60.5, 61.5, 62.5)
_STAGES = {"judged": Percentiles(1.5, 2.5, 3.5)}  # codespell:ignore judged - a stored name
_HOURS = ([2, *[0] * 23], [0, 1, *[0] * 22])  # arrived, published
_RECORD = DayRecord(
    NEXT_DAY, ARRIVED, 900.0, 2, *_HOURS, _ENDS, _VERDICTS, 14, 8, _BAD_ROWS, 2, 1, _WAITS, _STAGES, 1_234
)
_BUSY = "2024-06-25: a run was changing it"
_SIZES = maintenance.Size(10, 1_000, 3, 5), maintenance.Size(2, 900, 1, 4)
_TABLE = maintenance.TableReport("listens", *_SIZES, 0, 6, [_BUSY])
_MAINTENANCE = maintenance.MaintenanceReport(RUN, [_TABLE])


def _reported(world: World, report: Report = _REPORT) -> None:
    Reports(world.s3, LAKE).write(report, [_RECORD])


def _write_maintenance(world: World) -> None:
    maintenance.write(world.s3, LAKE, _MAINTENANCE)


def _read_maintenance(s3: Any, _: str) -> object:
    return maintenance.read(s3, LAKE, RUN)


def _named(s3: Any, _: str) -> object:
    reports = Reports(s3, LAKE)
    assert list(reports.of_dates(NEXT_DAY, NEXT_DAY)) == [reports.named(_REPORT.run)]
    return reports.named(_REPORT.run)


def _read(method: Callable[..., object], *dates: str) -> Callable[[Any, str], object]:
    return lambda s3, _: method(Reports(s3, LAKE), *dates)


def _before(**changes: Any) -> Report:
    return replace(_REPORT, before=replace(_FINDINGS, **changes))


def _draft(when: str) -> Stored:
    def draft(world: World) -> Drafts:
        drafts = Drafts(world.s3, LAKE, "manual__2024-06-26")
        for step in ("before", "after"):
            drafts.write_inspection(step, Inspection(_FINDINGS, [_RECORD]))
        drafts.write_plan(Plan(_REPAIRS, 2))
        return drafts

    def write(world: World) -> Document:
        draft(world)
        return world.object(f"{when}.json")

    def read(world: World, document: Document) -> object:
        """Return what later steps of the DAG make of the draft, together with the other drafts."""
        drafts = draft(world)
        world.put_object(document)
        return drafts.report("me", dry_run=False, is_asked=True)

    means = replace(_REPORT, by="me", after=_FINDINGS), [_RECORD]
    return Stored(f"reports/draft-{when}", write, read, means)


_OLDER_FILES = {name: replace(_FILE, **{name: getattr(_BARE_FILE, name)}) for name in _ADDED_TO_FILES}
_OLDER_REPORTS: dict[str, object] = {
    **{f"content.before.files.*.{name}": _before(files=[file]) for name, file in _OLDER_FILES.items()},
    "content.before.window.prefix": _before(window=Window(DAY, NEXT_DAY)),
    "content.before.days.*.version": _before(days=[replace(_BAD_DAY, version=0)]),
    "content.repairs.*.batch_id": replace(_REPORT, repairs=[replace(repair, batch_id="") for repair in _REPAIRS]),
}
_OLDER_RECORDS: dict[str, object] = {
    "content.cost_micro_usd": [replace(_RECORD, cost_micro_usd=0)],
    "content.published_by_hour": [replace(_RECORD, published_by_hour=[0] * 24)],
    "content.rejected": [replace(_RECORD, rejected={})],
}
_read_records = _read(Reports.records, DAY, NEXT_DAY)
REPORTS = [
    in_s3("reports/latest", partial(_reported, report=_PLANNED), "latest.json", _read(Reports.latest), _PLANNED),
    in_s3("reports/reconciliation", _reported, f"{_REPORT.run}.json", _named, _REPORT, _OLDER_REPORTS),
    in_s3("reports/day", _reported, f"/days/{NEXT_DAY}.json", _read_records, [_RECORD], _OLDER_RECORDS),
    *(_draft(when) for when in ("before", "plan", "after")),
    in_s3("reports/maintenance", _write_maintenance, f"maintenance/{RUN}.json", _read_maintenance, _MAINTENANCE),
]
