"""One file's way, from the object that landed to the items that its run wrote."""

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
    """A move through the ledger, and the seconds since the one before, where they are of one attempt."""

    name: str
    at: str
    seconds: float | None


@dataclass(frozen=True)
class Lineage:
    """What is known of a file; `story` is None where it landed and the ledger does not know it yet."""

    source: Source
    story: FileReport | None

    @property
    def can_be_redriven(self) -> bool:
        """Whether a reconciliation of it alone may do something about it."""
        if self.story is None:
            return True
        entry = self.story.entry
        has_failed = entry.status is Status.FAILED and entry.reason not in {OBJECT_GONE, UNREADABLE}
        return has_failed or entry.status in IN_PROGRESS

    @property
    def steps(self) -> list[Step]:
        """Its moves, in order."""
        return _steps(self.story.entry) if self.story else [Step("arrived", self.source.received_at, None)]


def read(stack: Stack, source_id: str) -> Lineage | None:
    """Read it; None where neither the ledger nor the bucket knows the file."""
    entry = stack.ledger.entry(source_id)
    if entry is None:
        landed = (source for source in files.landed(stack) if source.source_id == source_id)
        source = next(landed, None)
        return Lineage(source, None) if source else None
    told = file_report.gather(stack, replace(entry, days=entry.days[:DAYS_SHOWN]))  # each day's items are a query
    return Lineage(entry.source, replace(told, entry=entry))


def _steps(entry: Entry) -> list[Step]:
    before = entry.source.received_at
    moves = [("judged valid", entry.validated_at), ("run started", entry.started_at)]
    moves += [("published", entry.published_at), ("archived", entry.archived_at)]
    if entry.status in WITHOUT_TIMESTAMP:
        moves.append((entry.status.lower(), entry.updated_at))
    steps = [Step("arrived", before, None)]
    for name, stamp in moves:
        if stamp:
            # An earlier attempt's stamps are gone: the span since the arrival would be that of all attempts.
            is_of_all_attempts = entry.attempt > 1 and before == entry.source.received_at
            steps.append(Step(name, stamp, None if is_of_all_attempts else display.between(before, stamp)))
            before = stamp
    return steps
