"""Reports of reconciliations in the lake bucket, for operators, the dashboard and the next reconciliation.

``reports/reconcile/<YYYY-MM-DD>/<run>.json``   one reconciliation: what was found, done, and found again
``reports/latest.json``                         the last of them
``reports/days/<YYYY-MM-DD>.json``              the arrivals of a date in numbers (records.DayRecord)
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from music_streams import clock, strict
from music_streams.aws.json_objects import find_sound_json, write_json
from music_streams.reconcile.field_types import well_typed
from music_streams.reconcile.findings import Findings
from music_streams.reconcile.plan import Repair
from music_streams.reconcile.records import DayRecord

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_LATEST = "reports/latest.json"
_WHAT_TO_DO = "delete it; the next reconciliation (music-streams reconcile) writes a new report"


@dataclass(frozen=True)
class Report:
    """One reconciliation.

    Attributes:
        run: what tells it from others; a stamp without colons, so that they sort by time.
        by: who asked for it: a DAG run's id, or ``command line``.
        dry_run: whether repairs were only planned.
        before, after: what was found before and after the repairs; after is None where nothing was sent.
        repairs: what was asked for, or would have been.
        left: how many repairs the cap left for another time.
    """

    run: str
    by: str
    dry_run: bool
    before: Findings
    after: Findings | None
    repairs: list[Repair] = field(default_factory=list)
    left: int = 0

    @property
    def findings(self) -> Findings:
        """What was found last."""
        return self.after or self.before

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to repair."""
        return self.findings.is_whole

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`, and for people."""
        return {
            **asdict(self),
            "is_whole": self.is_whole,
            "sentence": self.findings.sentence,
            "before": self.before.as_json(),
            "after": self.after.as_json() if self.after else None,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Report":
        """What :meth:`as_json` told.

        Raises:
            LookupError, TypeError, ValueError: it is something else.
        """
        report = cls(
            told["run"],
            told["by"],
            told["dry_run"],
            Findings.from_json(told["before"]),
            Findings.from_json(told["after"]) if told["after"] else None,
            [Repair.from_json(repair) for repair in told["repairs"]],
            told["left"],
        )
        for findings in (report.before, report.findings):
            strict.timestamp(findings.looked_at)
        return well_typed(report)


@dataclass(frozen=True)
class Reports:
    """The reports of a pipeline. A damaged one is as one that is not there, with a line in the log."""

    s3: "S3Client"
    bucket: str

    def write(self, report: Report, records: Sequence[DayRecord] = ()) -> str:
        """Write a report, what it says of days, and that it is the latest.

        Returns:
            The URI of the report.
        """
        for record in records:
            self._write(_day_key(record.day), record.as_json())
        self._write(_key(report.run), report.as_json())
        self._write(_LATEST, report.as_json())
        return self.uri(report)

    def uri(self, report: Report) -> str:
        """Where a report lies, or will lie."""
        return f"s3://{self.bucket}/{_key(report.run)}"

    def latest(self) -> Report | None:
        """The last report; None where there is none."""
        return self._report(_LATEST)

    def named(self, run: str) -> Report | None:
        """The report of a name as :func:`run_name` makes it; None where there is none."""
        return self._report(_key(run))

    def of_dates(self, first: str, last: str) -> Iterator[Report]:
        """The reports that were written on dates from first to last, the newest first."""
        pages = self.s3.get_paginator("list_objects_v2")
        for day in reversed(clock.dates(first, last)):
            listed = pages.paginate(Bucket=self.bucket, Prefix=f"reports/reconcile/{day}/")
            keys = [found["Key"] for page in listed for found in page.get("Contents", [])]
            for key in sorted(keys, reverse=True):
                if report := self._report(key):
                    yield report

    def records(self, first: str, last: str) -> list[DayRecord]:
        """The numbers of the dates of which there are any, in order."""
        keys = map(_day_key, clock.dates(first, last))
        found = (find_sound_json(self.s3, self.bucket, key, DayRecord.from_json, _WHAT_TO_DO) for key in keys)
        return [record for record in found if record]

    def _write(self, key: str, content: object) -> None:
        write_json(self.s3, self.bucket, key, content, indent=1)

    def _report(self, key: str) -> Report | None:
        return find_sound_json(self.s3, self.bucket, key, Report.from_json, _WHAT_TO_DO)


def run_name(stamp: str) -> str:
    """The name of a reconciliation that began at a moment: ``20261122T041500123Z``."""
    return "".join(character for character in stamp if character.isalnum())


def _key(run: str) -> str:
    return f"reports/reconcile/{run[:4]}-{run[4:6]}-{run[6:8]}/{run}.json"


def _day_key(day: str) -> str:
    return f"reports/days/{day}.json"
