"""What has not come to its end, as a gauge: how many files stand where, and since when the oldest waits."""

from dataclasses import dataclass
from itertools import chain, islice

from music_streams.aws.telemetry import Metric, Telemetry
from music_streams.display import between
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.statuses import UNFINISHED, UNPUBLISHED, Status

MOST_READ = 10_000
"""Files of a status that are looked at, those that moved longest ago first: a look costs no more than that."""

_GAUGES = {status: Metric[f"WAITING_{status}"] for status in UNFINISHED}


@dataclass(frozen=True)
class Backlog:
    """What a look found.

    Attributes:
        standing: files by status; MOST_READ where there are that many, or more.
        oldest: the file that waits longest for its metrics; None where none waits.
    """

    standing: dict[Status, int]
    oldest: Entry | None

    def age(self, now: str) -> float:
        """Seconds for which the oldest file has waited; 0 where none waits."""
        waited = between(self.oldest.waiting_since, now) if self.oldest else None
        return max(0.0, waited or 0.0)  # S3 and we have clocks of our own

    @property
    def waiting(self) -> int:
        """Files whose metrics are waited for."""
        return sum(self.standing[status] for status in UNPUBLISHED)

    def record(self, telemetry: Telemetry, now: str) -> None:
        """Tell every gauge, the zeros too: a gauge that is silent is broken."""
        telemetry.record(Metric.OLDEST_FILE_AGE, self.age(now))
        for status, gauge in _GAUGES.items():
            telemetry.record(gauge, self.standing[status])


def look(ledger: Ledger) -> Backlog:
    """Read what is on its way, or failed, from the ledger's index."""
    standing = dict.fromkeys(_GAUGES, 0)
    oldest: Entry | None = None
    found = (islice(ledger.with_status(status, oldest_first=True), MOST_READ) for status in _GAUGES)
    for entry in chain.from_iterable(found):
        standing[entry.status] += 1
        is_older = oldest is None or entry.waiting_since < oldest.waiting_since
        if entry.status in UNPUBLISHED and is_older:
            oldest = entry
    return Backlog(standing, oldest)
