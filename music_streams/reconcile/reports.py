"""Reports of reconciliations in the lake bucket, for operators, the dashboard and the next reconciliation.

``reports/reconcile/<YYYY-MM-DD>/<run>.json``   one reconciliation: what was found, done, and found again
``reports/latest.json``                         the last of them
``reports/days/<YYYY-MM-DD>.json``              the arrivals of a date in numbers (records.DayRecord)
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from music_streams.aws.clients import is_gone
from music_streams.reconcile.findings import Findings
from music_streams.reconcile.plan import Repair
from music_streams.reconcile.records import DayRecord

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_LATEST = "reports/latest.json"


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
            "run": self.run,
            "by": self.by,
            "dry_run": self.dry_run,
            "is_whole": self.is_whole,
            "sentence": self.findings.sentence,
            "before": self.before.as_json(),
            "repairs": [repair.as_json() for repair in self.repairs],
            "left": self.left,
            "after": self.after.as_json() if self.after else None,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Report":
        """What :meth:`as_json` told."""
        return cls(
            told["run"],
            told["by"],
            told["dry_run"],
            Findings.from_json(told["before"]),
            Findings.from_json(told["after"]) if told["after"] else None,
            [Repair.from_json(repair) for repair in told["repairs"]],
            told["left"],
        )


@dataclass(frozen=True)
class Reports:
    """The reports of a pipeline."""

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
        told = self._read(_LATEST)
        return Report.from_json(told) if told else None

    def named(self, run: str) -> Report | None:
        """The report of a name as :func:`run_name` makes it; None where there is none."""
        told = self._read(_key(run))
        return Report.from_json(told) if told else None

    def of_dates(self, first: str, last: str) -> Iterator[Report]:
        """The reports that were written on dates from first to last, the newest first."""
        pages = self.s3.get_paginator("list_objects_v2")
        for day in reversed(_dates(first, last)):
            listed = pages.paginate(Bucket=self.bucket, Prefix=f"reports/reconcile/{day}/")
            keys = [found["Key"] for page in listed for found in page.get("Contents", [])]
            for key in sorted(keys, reverse=True):
                if told := self._read(key):
                    yield Report.from_json(told)

    def records(self, first: str, last: str) -> list[DayRecord]:
        """The numbers of the dates of which there are any, in order."""
        found = (self._read(_day_key(day)) for day in _dates(first, last))
        return [DayRecord.from_json(told) for told in found if told]

    def _write(self, key: str, content: object) -> None:
        body = json.dumps(content, ensure_ascii=False, indent=1).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        told: dict[str, Any] = json.loads(body)
        return told


def run_name(stamp: str) -> str:
    """The name of a reconciliation that began at a moment: ``20261122T041500123Z``."""
    return "".join(character for character in stamp if character.isalnum())


def _key(run: str) -> str:
    return f"reports/reconcile/{run[:4]}-{run[4:6]}-{run[6:8]}/{run}.json"


def _day_key(day: str) -> str:
    return f"reports/days/{day}.json"


def _dates(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]
