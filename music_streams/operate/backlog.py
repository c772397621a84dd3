"""The backlog as gauges: the number of unfinished files by status, and the age of the file that has waited longest."""

from dataclasses import dataclass
from itertools import chain, islice

from music_streams.aws.telemetry import Metric, Telemetry
from music_streams.display import seconds_between
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.statuses import UNFINISHED, UNPUBLISHED, Status

MOST_READ = 10_000
"""The most files read of one status, least recently changed first. It bounds the cost of a measurement."""

_GAUGES = {status: Metric[f"WAITING_{status}"] for status in UNFINISHED}


@dataclass(frozen=True)
class Backlog:
    """The unfinished files at one instant.

    Attributes:
        counts: number of files by status, at most MOST_READ each.
        oldest: the file that has waited longest for its metrics; None if no file waits.
    """

    counts: dict[Status, int]
    oldest: Entry | None

    def age(self, now: str) -> float:
        """Return the seconds for which the oldest file has waited; 0 if no file waits."""
        waited = seconds_between(self.oldest.waiting_since, now) if self.oldest else None
        return max(0.0, waited or 0.0)  # S3's clock may be ahead of ours.

    @property
    def waiting(self) -> int:
        """The number of files in flight whose metrics are not published."""
        return sum(self.counts[status] for status in UNPUBLISHED)

    def record(self, telemetry: Telemetry, now: str) -> None:
        """Record every gauge, zeros included, so that a missing gauge means that measuring fails."""
        telemetry.record(Metric.OLDEST_FILE_AGE, self.age(now))
        for status, gauge in _GAUGES.items():
            telemetry.record(gauge, self.counts[status])


def measure(ledger: Ledger) -> Backlog:
    """Read the files in flight and the failed files from the ledger's index."""
    counts = dict.fromkeys(_GAUGES, 0)
    oldest: Entry | None = None
    entries = (islice(ledger.with_status(status, oldest_first=True), MOST_READ) for status in _GAUGES)
    for entry in chain.from_iterable(entries):
        counts[entry.status] += 1
        is_older = oldest is None or entry.waiting_since < oldest.waiting_since
        if entry.status in UNPUBLISHED and is_older:
            oldest = entry
    return Backlog(counts, oldest)
