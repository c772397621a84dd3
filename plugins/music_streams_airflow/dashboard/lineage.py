"""The lineage of a file, from the object that landed to the items that its run wrote."""

from dataclasses import dataclass, replace

from music_streams import display
from music_streams.operate import file_report, files
from music_streams.operate.file_report import FileReport
from music_streams.stack import Stack
from music_streams.state.ledger import OBJECT_GONE, UNREADABLE, Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import IN_PROGRESS, WITHOUT_TIMESTAMP, Status

DAYS_SHOWN = 31


@dataclass(frozen=True)
class Step:
    """A change of status, and the seconds since the previous one if both are of the same attempt."""

    name: str
    at: str
    seconds: float | None


@dataclass(frozen=True)
class Lineage:
    """What is known of a file; `report` is None if it has no ledger entry yet."""

    source: Source
    report: FileReport | None

    @property
    def can_be_repaired(self) -> bool:
        """Return whether a reconciliation of this file may repair it."""
        if self.report is None:
            return True
        entry = self.report.entry
        has_failed = entry.status is Status.FAILED and entry.reason not in {OBJECT_GONE, UNREADABLE}
        return has_failed or entry.status in IN_PROGRESS

    @property
    def steps(self) -> list[Step]:
        """Return its changes of status, in order."""
        return _steps(self.report.entry) if self.report else [Step("arrived", self.source.received_at, None)]


def read(stack: Stack, source_id: str) -> Lineage | None:
    """Read the lineage of a file; None if it is neither in the ledger nor in the bucket."""
    entry = stack.ledger.entry(source_id)
    if entry is None:
        landed = (source for source in files.landed(stack) if source.source_id == source_id)
        source = next(landed, None)
        return Lineage(source, None) if source else None
    report = file_report.gather(stack, replace(entry, days=entry.days[:DAYS_SHOWN]))  # each day is a query
    return Lineage(entry.source, replace(report, entry=entry))


def _steps(entry: Entry) -> list[Step]:
    before = entry.source.received_at
    moves = [("validated", entry.validated_at), ("run started", entry.started_at)]
    moves += [("published", entry.published_at), ("archived", entry.archived_at)]
    if entry.status in WITHOUT_TIMESTAMP:
        moves.append((entry.status.lower(), entry.updated_at))
    steps = [Step("arrived", before, None)]
    for name, timestamp in moves:
        if timestamp:
            # Timestamps of earlier attempts are not kept: the time since arrival would include all attempts.
            is_of_all_attempts = entry.attempt > 1 and before == entry.source.received_at
            steps.append(
                Step(name, timestamp, None if is_of_all_attempts else display.seconds_between(before, timestamp))
            )
            before = timestamp
    return steps
