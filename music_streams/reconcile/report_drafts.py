"""What the steps of a reconciliation hand on to each other where each is a process of its own.

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
    """The drafts of one run.

    Attributes:
        run_id: names it from outside, so it is never used as a part of a key.
    """

    s3: "S3Client"
    bucket: str
    run_id: str

    def write_inspection(self, when: str, look: Inspection) -> str:
        """Keep what was seen; answers the sentence."""
        records = [record.as_json() for record in look.records]
        self._write(when, {"findings": look.findings.as_json(), "records": records})
        return look.findings.sentence

    def look(self, when: str) -> Inspection:
        """What was seen."""
        return self._read(when, _look)

    def write_plan(self, plan: Plan) -> None:
        """Keep what was planned."""
        self._write("plan", {"repairs": [repair.as_json() for repair in plan.repairs], "left": plan.left})

    def report(self, by: str, *, dry_run: bool, is_asked: bool) -> tuple[Report, list[DayRecord]]:
        """The report of the run, and the numbers of its dates.

        Args:
            by: who asked for it.
            dry_run: whether repairs were only planned.
            is_asked: whether they were asked for, so that it was looked again.
        """
        before, planned = self.look("before"), self._read("plan", _plan)
        after = self.look("after") if is_asked else None
        report = Report(
            run_name(before.findings.looked_at),
            by,
            dry_run,
            before.findings,
            after.findings if after else None,
            planned.repairs,
            planned.left,
        )
        return report, (after or before).records

    def _key(self, name: str) -> str:
        return f"reports/drafts/{request_batch_id('draft', self.run_id)}/{name}.json"

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        write_json(self.s3, self.bucket, self._key(name), content)

    def _read(self, name: str, form: Callable[[dict[str, Any]], T]) -> T:
        return read_json(self.s3, self.bucket, self._key(name), form, _WHAT_TO_DO)


def _look(told: dict[str, Any]) -> Inspection:
    return well_typed(
        Inspection(Findings.from_json(told["findings"]), [DayRecord.from_json(each) for each in told["records"]])
    )


def _plan(told: dict[str, Any]) -> Plan:
    return well_typed(Plan([Repair.from_json(repair) for repair in told["repairs"]], told["left"]))
