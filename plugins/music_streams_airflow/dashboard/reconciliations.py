"""Reports of reconciliations, found by their name or by the DAG run that made them."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from music_streams.reconcile.reports import Report, Reports
from music_streams.stack import Stack

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LOOKED_AT = 200


def by_name(stack: Stack, run: str) -> Report | None:
    """The report of that name, ``20261122T041500123Z``; None where there is none."""
    return Reports(stack.s3, stack.lake_bucket).named(run)


def by_dag_run(stack: Stack, run_id: str, now: datetime) -> Report | None:
    """The report that a DAG run made; None where it has made none yet, or long ago."""
    named = _DATE.search(run_id)
    day, days = (named.group(), 1) if named else ((now - timedelta(days=2)).date().isoformat(), 2)
    reports = islice(_of_days(stack, day, days), _LOOKED_AT)
    return next((report for report in reports if report.by == run_id), None)


def _of_days(stack: Stack, first: str, more: int) -> Iterator[Report]:
    """The reports of a date and of so many after it; none where it is no date."""
    try:
        last = (date.fromisoformat(first) + timedelta(days=more)).isoformat()
    except (ValueError, OverflowError):
        return iter(())
    return Reports(stack.s3, stack.lake_bucket).of_dates(first, last)
