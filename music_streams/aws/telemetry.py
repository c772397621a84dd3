"""The metrics that functions emit to CloudWatch, with name and unit. Which function emits which: docs/telemetry.md.

The domain records values in a :class:`Telemetry`, and the function that it runs in sends them. Only what an invocation
did itself is counted: if another invocation was first to change a status, the change counts there only.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol


class MetricUnit(StrEnum):
    """Units of CloudWatch; a ratio between 0 and 1 has the unit None, because Percent means 0 to 100."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"


class Metric(StrEnum):
    """Metrics by their names in CloudWatch."""

    unit: MetricUnit

    def __new__(cls, name: str, unit: MetricUnit = MetricUnit.COUNT) -> "Metric":
        """Create a metric with its unit."""
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.unit = unit
        return metric

    # Changes of status in the ledger
    FILES_RECEIVED = "FilesReceived"
    FILES_VALID = "FilesValid"
    FILES_RUNNING = "FilesRunning"
    FILES_PUBLISHED = "FilesPublished"
    FILES_ARCHIVED = "FilesArchived"
    FILES_QUARANTINED = "FilesQuarantined"
    FILES_FAILED = "FilesFailed"
    FILES_RETRACTED = "FilesRetracted"

    # On each publication of a file
    ROWS_ACCEPTED = "RowsAccepted"
    ROWS_REJECTED = "RowsRejected"
    TIME_TO_PUBLISHED = "TimeToPublished", MetricUnit.SECONDS

    # Once per run
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
    """The part of Powertools' Metrics that sends values."""

    def add_metric(self, name: str, unit: str, value: float) -> None:
        """Add a value."""

    def add_metadata(self, key: str, value: str) -> None:
        """Add an id to the log line; it is not a dimension."""

    def flush_metrics(self) -> None:
        """Write the added values as a log line, in CloudWatch's embedded metric format."""


class Telemetry:
    """Collects values, from any thread, until they are sent."""

    def __init__(self) -> None:
        self._recorded: list[tuple[Metric, float]] = []

    def record(self, metric: Metric, value: float = 1) -> None:
        """Add a value, in the metric's unit."""
        self._recorded.append((metric, value))

    @contextmanager
    def sent_by(self, sender: Sender, **about: str) -> Iterator[None]:
        """Send the values that the block records, even if it raises: what it did before the error counts.

        The ids in `about` are added to the log line.
        """
        self._recorded.clear()  # values of an invocation that timed out
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
        """Yield the recorded values, with counts added up to one value for each metric."""
        counts: Counter[Metric] = Counter()
        for metric, value in self._recorded:
            if metric.unit is MetricUnit.COUNT:
                counts[metric] += int(value)
            else:
                yield metric, value
        yield from counts.items()
