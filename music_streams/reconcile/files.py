"""Files: what S3, the ledger and Step Functions say of each, put together into one state."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.aws import objects
from music_streams.aws.objects import Place
from music_streams.reconcile import inventory
from music_streams.reconcile.findings import GAPS, FileFinding, State, Window
from music_streams.reconcile.stalled import Repairs, StallReason
from music_streams.run.archive import awaits_archiving
from music_streams.state import object_keys
from music_streams.state.ledger import OBJECT_GONE, Entry, Ledger
from music_streams.state.sources import ID_DIGITS, Source
from music_streams.state.statuses import FINISHED, UNFINISHED, Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_KEPT = ("archive", "quarantine")
_SOURCE_ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")


@dataclass
class Evidence:
    """All that is known of one source.

    Attributes:
        entry: what the ledger says.
        landed: its object where it landed.
        kept: under which of archive/ and quarantine/ something of it lies; the key of each.
    """

    entry: Entry | None = None
    landed: Source | None = None
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do about it, as the ledger says and the bucket does not deny."""
        entry = self.entry
        if entry is None or awaits_archiving(entry):
            return False
        is_left_behind = entry.status is Status.QUARANTINED and self.landed is not None and not entry.stays_in_place
        return entry.status in FINISHED and not is_left_behind


@dataclass(frozen=True)
class Stock:
    """Every source of a window, with what is known of it.

    Attributes:
        evidence: by source_id.
    """

    window: Window
    evidence: dict[str, Evidence]

    @property
    def entries(self) -> list[Entry]:
        """What the ledger says of them."""
        return [each.entry for each in self.evidence.values() if each.entry]


@dataclass(frozen=True)
class FileInspector:
    """Takes stock of files and judges what it finds.

    Attributes:
        repairs: tells what stands still, and what is gone.
        late_seconds: from a file's arrival until its metrics should stand.
    """

    s3: "S3Client"
    ledger: Ledger
    repairs: Repairs
    landing_bucket: str
    late_seconds: float

    def stock(self, window: Window) -> Stock:
        """Bring together what S3 and the ledger know.

        Reads what is on its way whole, of the buckets the dates of the window, and of the ledger what is at rest and
        moved since these began: for dates of today and yesterday the cost follows the change.
        """
        evidence: dict[str, Evidence] = defaultdict(Evidence)
        for source in inventory.landed(self.s3, self.landing_bucket):
            evidence[source.source_id].landed = source
        for prefix in _KEPT:
            for day in window.dates:
                for source_id, key in self._kept(prefix, day):
                    evidence[source_id].kept[prefix] = key
        for entry in self._entries(window):
            evidence[entry.source.source_id].entry = entry
        # Names under archive/ and quarantine/ may be anything; the table also holds the fences.
        unknown = [name for name, each in evidence.items() if each.entry is None and _SOURCE_ID.fullmatch(name)]
        for source_id, entry in self.ledger.entries(unknown).items():
            evidence[source_id].entry = entry
        return Stock(window, {name: each for name, each in evidence.items() if _is_asked_for(each, window)})

    def findings(self, stock: Stock) -> Iterator[FileFinding]:
        """The state of each file, in no order.

        Nothing stands still meanwhile: what seems to be wrong counts only if the ledger still says the same of it.
        """
        found = {source_id: self._of(source_id, each, stock.window) for source_id, each in stock.evidence.items()}
        suspected = [name for name, file in found.items() if file.state in GAPS and _SOURCE_ID.fullmatch(name)]
        for source_id, entry in self.ledger.entries(suspected).items():
            each = stock.evidence[source_id]
            if entry != each.entry:
                found[source_id] = self._of_entry(replace(each, entry=entry), entry, stock.window)
        for entry in filter(_others_succeeded_after(stock.entries), stock.entries):
            source_id = entry.source.source_id
            found[source_id] = replace(found[source_id], is_outlived=True)
        yield from found.values()

    def _of(self, source_id: str, each: Evidence, window: Window) -> FileFinding:
        return self._of_entry(each, each.entry, window) if each.entry else self._of_unknown(source_id, each)

    def _entries(self, window: Window) -> Iterable[Entry]:
        begin = f"{window.first}T00:00:00.000Z"
        moving = chain.from_iterable(self.ledger.with_status(status) for status in UNFINISHED)
        # What arrived in the window cannot have moved last before it.
        at_rest = chain.from_iterable(self.ledger.with_status(status, since=begin) for status in FINISHED)
        # Half retracted is not at rest, whenever it arrived.
        return chain(
            moving, (entry for entry in at_rest if window.holds(entry.source.received_at) or awaits_archiving(entry))
        )

    def _kept(self, prefix: str, day: str) -> Iterator[tuple[str, str]]:
        """source_id and key of what lies under archive/ or quarantine/ for a date of arrival."""
        listing = self.s3.get_paginator("list_objects_v2")
        for page in listing.paginate(Bucket=self.landing_bucket, Prefix=object_keys.kept_on(prefix, day)):
            for found in page.get("Contents", []):
                if (source_id := object_keys.kept_source(found["Key"])) is not None:
                    yield source_id, found["Key"]

    def _of_unknown(self, source_id: str, each: Evidence) -> FileFinding:
        if each.landed is None:
            [key, *_] = each.kept.values()
            what = "no entry of the ledger has that source_id" if _SOURCE_ID.fullmatch(source_id) else "no source_id"
            return FileFinding(source_id, key, State.ORPHAN, f"lies in {' and '.join(each.kept)}/, {what}", "")
        found = FileFinding(source_id, each.landed.key, State.IN_FLIGHT, "", each.landed.received_at, attempt=1)
        if repair := self.repairs.of_unknown(each.landed):
            return replace(found, state=State.MISSING, why=repair.trouble, message=repair.message)
        return replace(found, why="landed; its event is on its way")

    def _of_entry(self, each: Evidence, entry: Entry, window: Window) -> FileFinding:
        if lost := self._lost(entry):
            if not window.holds(entry.updated_at):  # reported in its time; the pipeline can do nothing about it
                return _finding(entry, State.OK, "")
            state = State.FAILED if entry.status is Status.FAILED else State.ORPHAN
            return _finding(entry, state, lost)
        is_moving = entry.status is Status.QUARANTINED and not entry.stays_in_place and each.landed
        if is_moving and not self.repairs.of_leftover(entry):
            return _finding(entry, State.IN_FLIGHT, "on its way to quarantine/")
        repair = self.repairs.of_leftover(entry) if each.landed else None
        repair = repair or self.repairs.of(entry)
        if repair:
            state = State.FAILED if repair.trouble is StallReason.FAILED else State.STUCK
            why = f"{repair.trouble}: {entry.reason}" if entry.reason else str(repair.trouble)
            return _finding(entry, state, why, repair.message, repair.attempt)
        if entry.status in FINISHED and not awaits_archiving(entry):
            return self._at_rest(each, entry, is_listed=window.holds(entry.source.received_at))
        return self._on_its_way(entry)

    def _lost(self, entry: Entry) -> str:
        """Why a file's bytes cannot be had; '' where they can."""
        if entry.reason == OBJECT_GONE or self.repairs.is_gone(entry):
            return "its object was deleted by others; put it again"
        if self.repairs.is_unreadable(entry):
            return "S3 does not give its bytes: it is archived, or under a key of its own; restore it or put it again"
        return ""

    def _at_rest(self, each: Evidence, entry: Entry, *, is_listed: bool) -> FileFinding:
        if entry.stays_in_place:
            why = f"quarantined where it landed, too large to be moved: {entry.reason}"
            return _finding(entry, State.OK if each.landed else State.ORPHAN, why)
        keeps = "quarantine" if entry.status is Status.QUARANTINED else "archive"
        # A retracted file that was deleted before its archiving needs no copy.
        is_missed = is_listed and keeps not in each.kept and not entry.is_retracted
        # It may have come there after the prefix was listed.
        if is_missed and not objects.exists(self.s3, Place(entry.source.bucket, entry.source.kept_key(keeps), "")):
            return _finding(entry, State.ORPHAN, f"{entry.status}, and its copy in {keeps}/ is gone")
        return _finding(entry, State.OK, "")

    def _on_its_way(self, entry: Entry) -> FileFinding:
        if awaits_archiving(entry):
            return _finding(entry, State.IN_FLIGHT, "its metrics stand; on its way to its end")
        is_late = entry.waiting_since < clock.seconds_before(clock.now(), self.late_seconds)
        if is_late:
            return _finding(entry, State.LATE, f"{entry.status}, and not published within {self.late_seconds:g} s")
        return _finding(entry, State.IN_FLIGHT, str(entry.status))


def _is_asked_for(each: Evidence, window: Window) -> bool:
    source = each.entry.source if each.entry else each.landed
    if source is None:  # an orphan in archive/ or quarantine/: its true key nobody knows
        return window.prefix == ""
    return source.key.startswith(window.prefix) and (not each.is_finished or window.holds(source.received_at))


def _finding(entry: Entry, state: State, why: str, message: str = "", attempt: int = 0) -> FileFinding:
    source = entry.source
    return FileFinding(
        source.source_id,
        source.key,
        state,
        why,
        source.received_at,
        entry.updated_at,
        entry.status,
        entry.reason,
        attempt or entry.attempt,
        entry.failures,
        message,
        entry.days,
    )


def _others_succeeded_after(entries: Iterable[Entry]) -> Callable[[Entry], bool]:
    """Whether a streams file of these was published between a file's first failure and its last attempt."""
    published = sorted(entry.published_at for entry in entries if not entry.source.kind.is_reference)

    def is_outlived(entry: Entry) -> bool:
        after = bisect_right(published, entry.failing_since)
        return entry.failing_since != "" and after < len(published) and published[after] < entry.validated_at

    return is_outlived
