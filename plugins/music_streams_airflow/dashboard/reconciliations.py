"""Reports of reconciliations, by their name or by the DAG run that wrote them."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from music_streams.reconcile.reports import Report, Reports
from music_streams.stack import Stack

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MAX_REPORTS = 200


def by_name(stack: Stack, run: str) -> Report | None:
    """Return the report of a name, such as ``20261122T041500123Z``; None if there is none."""
    return Reports(stack.s3, stack.lake_bucket).named(run)


def by_dag_run(stack: Stack, run_id: str, now: datetime) -> Report | None:
    """Return the report that a DAG run wrote; None if it wrote none yet or is too old."""
    match = _DATE.search(run_id)
    day, days = (match.group(), 1) if match else ((now - timedelta(days=2)).date().isoformat(), 2)
    reports = islice(_of_days(stack, day, days), _MAX_REPORTS)
    return next((report for report in reports if report.by == run_id), None)


def _of_days(stack: Stack, first: str, more: int) -> Iterator[Report]:
    """Return the reports of a date and of `more` dates after it; none if it is not a date."""
    try:
        last = (date.fromisoformat(first) + timedelta(days=more)).isoformat()
    except (ValueError, OverflowError):
        return iter(())
    return Reports(stack.s3, stack.lake_bucket).of_dates(first, last)
