"""What the functions tell CloudWatch: each metric's name and unit. When each is told, and by whom: docs/telemetry.md.

Parts of the domain tell a :class:`Telemetry` of what happened; the function that they work in sends that on. So what is
counted is what was done: a move of the ledger that another invocation made first counts there, and only there.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol


class MetricUnit(StrEnum):
    """Units as CloudWatch calls them; a share of 1 has none there, since its Percent is of 100."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"


class Metric(StrEnum):
    """Metrics by their names in CloudWatch."""

    unit: MetricUnit

    def __new__(cls, name: str, unit: MetricUnit = MetricUnit.COUNT) -> "Metric":
        """A name with its unit."""
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.unit = unit
        return metric

    # Moves of the ledger: how many files came to a status
    FILES_RECEIVED = "FilesReceived"
    FILES_VALID = "FilesValid"
    FILES_RUNNING = "FilesRunning"
    FILES_PUBLISHED = "FilesPublished"
    FILES_ARCHIVED = "FilesArchived"
    FILES_QUARANTINED = "FilesQuarantined"
    FILES_FAILED = "FilesFailed"
    FILES_RETRACTED = "FilesRetracted"

    # With a publication
    ROWS_ACCEPTED = "RowsAccepted"
    ROWS_REJECTED = "RowsRejected"
    TIME_TO_PUBLISHED = "TimeToPublished", MetricUnit.SECONDS

    # Once a run
    REJECTED_ROW_RATIO = "RejectedRowRatio", MetricUnit.NONE
    DAYS_RECOMPUTED = "DaysRecomputed"
    ITEMS_WRITTEN = "ItemsWritten"
    ITEMS_REFUSED = "ItemsRefused"

    # Every five minutes
    OLDEST_FILE_AGE = "OldestFileAge", MetricUnit.SECONDS
    WAITING_RECEIVED = "WaitingReceived"
    WAITING_VALID = "WaitingValid"
    WAITING_RUNNING = "WaitingRunning"
    WAITING_PUBLISHED = "WaitingPublished"
    WAITING_FAILED = "WaitingFailed"


class Sender(Protocol):
    """The part of Powertools' Metrics that takes a value."""

    def add_metric(self, name: str, unit: str, value: float) -> None:
        """Keep a value."""

    def add_metadata(self, key: str, value: str) -> None:
        """Keep what the values are about; it is no dimension."""

    def flush_metrics(self) -> None:
        """Write what is kept as a line of the log, in CloudWatch's embedded format."""


class Telemetry:
    """Collects values, from any thread, until they are sent."""

    def __init__(self) -> None:
        self._recorded: list[tuple[Metric, float]] = []

    def record(self, metric: Metric, value: float = 1) -> None:
        """Add a value, in the metric's unit."""
        self._recorded.append((metric, value))

    @contextmanager
    def sent_by(self, sender: Sender, **about: str) -> Iterator[None]:
        """Send what is told within, also where that ends with an error: what was done before it was done.

        The ids that it is about go with it, to be found in the log.
        """
        self._recorded.clear()  # of an invocation that was cut off
        try:
            yield
        finally:
            for key, text in about.items() if self._recorded else ():
                sender.add_metadata(key, text)
            for metric, value in self._summed():
                sender.add_metric(metric.value, metric.unit.value, value)
            if self._recorded:
                sender.flush_metrics()
            self._recorded.clear()

    def _summed(self) -> Iterator[tuple[Metric, float]]:
        """What was told, counts as one value each."""
        counts: Counter[Metric] = Counter()
        for metric, value in self._recorded:
            if metric.unit is MetricUnit.COUNT:
                counts[metric] += int(value)
            else:
                yield metric, value
        yield from counts.items()
