"""The drafts by which the steps of a reconciliation pass on their results, if each step is a process of its own.
``reports/drafts/<digest of the run>/before.json``, ``plan.json``, ``after.json`` in the lake bucket.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from music_streams.aws.json_objects import read_json, write_json
from music_streams.reconcile.field_types import well_typed
from music_streams.reconcile.findings import Findings
from music_streams.reconcile.plan import Plan, Repair
from music_streams.reconcile.reconciler import Inspection
from music_streams.reconcile.records import DayRecord
from music_streams.reconcile.reports import Report, run_name
from music_streams.state.sources import request_batch_id

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")

_WHAT_TO_DO = "start the reconciliation again: it writes new drafts"


@dataclass(frozen=True)
class Drafts:
    """The drafts of one run; `run_id` is an untrusted name, so only its digest is part of a key."""

    s3: "S3Client"
    bucket: str
    run_id: str

    def write_inspection(self, when: str, inspection: Inspection) -> str:
        """Write an inspection, and return the sentence of its findings."""
        records = [record.as_json() for record in inspection.records]
        content = {"findings": inspection.findings.as_json(), "records": records}
        self._write(when, {**content, "songs_digest": inspection.songs_digest})
        return inspection.findings.sentence

    def inspection(self, when: str) -> Inspection:
        """Return an inspection, ``before`` or ``after`` the repairs."""
        return self._read(when, _inspection)

    def write_plan(self, plan: Plan) -> None:
        """Write the plan."""
        self._write("plan", {"repairs": [repair.as_json() for repair in plan.repairs], "left": plan.left})

    def report(self, by: str, *, dry_run: bool, is_asked: bool) -> tuple[Report, list[DayRecord]]:
        """Return the report of the run, and the figures of its dates.

        Args:
            by: who requested the reconciliation.
            dry_run: whether repairs were only planned.
            is_asked: whether repairs were requested, so that there is an inspection after them.
        """
        before, planned = self.inspection("before"), self._read("plan", _plan)
        after = self.inspection("after") if is_asked else None
        report = Report(
            run_name(before.findings.looked_at),
            by,
            dry_run,
            before.findings,
            after.findings if after else None,
            planned.repairs,
            planned.left,
            (after or before).songs_digest,
        )
        return report, (after or before).records

    def _key(self, name: str) -> str:
        return f"reports/drafts/{request_batch_id('draft', self.run_id)}/{name}.json"

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        write_json(self.s3, self.bucket, self._key(name), content)

    def _read(self, name: str, parse: Callable[[dict[str, Any]], T]) -> T:
        return read_json(self.s3, self.bucket, self._key(name), parse, _WHAT_TO_DO)


def _inspection(raw: dict[str, Any]) -> Inspection:
    day_records = [DayRecord.from_json(record) for record in raw["records"]]
    return well_typed(Inspection(Findings.from_json(raw["findings"]), day_records, raw.get("songs_digest", "")))


def _plan(raw: dict[str, Any]) -> Plan:
    return well_typed(Plan([Repair.from_json(repair) for repair in raw["repairs"]], raw["left"]))
