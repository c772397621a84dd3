"""Reports of reconciliations in the lake bucket, for operators, the dashboard and the next reconciliation.

``reports/reconcile/<YYYY-MM-DD>/<run>.json``   one reconciliation: findings, repairs, and findings after the repairs
``reports/latest.json``                         the last report
``reports/days/<YYYY-MM-DD>.json``              the figures of a date of arrival (records.DayRecord)
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
        run: its name; a timestamp without punctuation, so that reports sort by time.
        by: who requested it: a DAG run's id, or ``command line``.
        dry_run: whether repairs were only planned.
        before, after: the findings before and after the repairs; after is None if no repair was requested.
        repairs: the repairs that were requested, or would be without dry_run.
        left: number of repairs over the limit, which a later reconciliation requests.
        songs_digest: of the last findings, as Inspection.songs_digest.
    """

    run: str
    by: str
    dry_run: bool
    before: Findings
    after: Findings | None
    repairs: list[Repair] = field(default_factory=list)
    left: int = 0
    songs_digest: str = ""

    @property
    def findings(self) -> Findings:
        """The last findings."""
        return self.after or self.before

    @property
    def is_whole(self) -> bool:
        """Whether the last findings have no discrepancy."""
        return self.findings.is_whole

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON, for :meth:`from_json` and for people."""
        return {
            **asdict(self),
            "is_whole": self.is_whole,
            "sentence": self.findings.sentence,
            "before": self.before.as_json(),
            "after": self.after.as_json() if self.after else None,
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Report":
        """Return the report of an as_json result. Raises LookupError, TypeError, ValueError if it has another form."""
        report = cls(
            raw["run"],
            raw["by"],
            raw["dry_run"],
            Findings.from_json(raw["before"]),
            Findings.from_json(raw["after"]) if raw["after"] else None,
            [Repair.from_json(repair) for repair in raw["repairs"]],
            raw["left"],
            raw.get("songs_digest", ""),  # Reports of earlier versions lack it.
        )
        for findings in (report.before, report.findings):
            strict.timestamp(findings.looked_at)
        return well_typed(report)


@dataclass(frozen=True)
class Reports:
    """The reports of a pipeline. A damaged report is logged, and then treated as missing."""

    s3: "S3Client"
    bucket: str

    def write(self, report: Report, records: Sequence[DayRecord] = ()) -> str:
        """Write a report, also as the latest one, and the figures of dates; return the URI of the report."""
        for record in records:
            self._write(_day_key(record.day), record.as_json())
        self._write(_key(report.run), report.as_json())
        self._write(_LATEST, report.as_json())
        return self.uri(report)

    def uri(self, report: Report) -> str:
        """Return the location of a report, written or not."""
        return f"s3://{self.bucket}/{_key(report.run)}"

    def latest(self) -> Report | None:
        """Return the last report; None if there is none."""
        return self._report(_LATEST)

    def named(self, run: str) -> Report | None:
        """Return the report of a name from :func:`run_name`; None if there is none."""
        return self._report(_key(run))

    def of_dates(self, first: str, last: str) -> Iterator[Report]:
        """Yield the reports that were written on dates from first to last, the newest first."""
        pages = self.s3.get_paginator("list_objects_v2")
        for day in reversed(clock.dates(first, last)):
            listing = pages.paginate(Bucket=self.bucket, Prefix=f"reports/reconcile/{day}/")
            keys = [listed["Key"] for page in listing for listed in page.get("Contents", [])]
            for key in sorted(keys, reverse=True):
                if report := self._report(key):
                    yield report

    def records(self, first: str, last: str) -> list[DayRecord]:
        """Return the figures of dates in order; dates without any are left out."""
        keys = map(_day_key, clock.dates(first, last))
        records = (find_sound_json(self.s3, self.bucket, key, DayRecord.from_json, _WHAT_TO_DO) for key in keys)
        return [record for record in records if record]

    def _write(self, key: str, content: object) -> None:
        write_json(self.s3, self.bucket, key, content, indent=1)

    def _report(self, key: str) -> Report | None:
        return find_sound_json(self.s3, self.bucket, key, Report.from_json, _WHAT_TO_DO)


def run_name(timestamp: str) -> str:
    """Return the name of a reconciliation that began at a timestamp, such as ``20261122T041500123Z``."""
    return "".join(character for character in timestamp if character.isalnum())


def _key(run: str) -> str:
    return f"reports/reconcile/{run[:4]}-{run[4:6]}-{run[6:8]}/{run}.json"


def _day_key(day: str) -> str:
    return f"reports/days/{day}.json"
