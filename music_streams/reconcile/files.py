"""The state of each file, combined from S3, the ledger and Step Functions."""

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
from music_streams.reconcile.findings import BAD_FILES, FileFinding, State, Window
from music_streams.reconcile.inventory import landed
from music_streams.reconcile.stalled import StalledFinder, StallReason
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
    """The evidence about one source.

    Attributes:
        entry: its ledger entry.
        landed: its object where it landed.
        kept: the keys of its objects under archive/ and quarantine/, by prefix.
    """

    entry: Entry | None = None
    landed: Source | None = None
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether it is in a terminal state by the ledger, and the bucket agrees."""
        entry = self.entry
        if entry is None or awaits_archiving(entry):
            return False
        is_left_behind = (
            entry.status is Status.QUARANTINED and self.landed is not None and not entry.stays_at_landing_key
        )
        return entry.status in FINISHED and not is_left_behind


@dataclass(frozen=True)
class Inventory:
    """Every source of a window, with its evidence by source_id."""

    window: Window
    evidence: dict[str, Evidence]

    @property
    def entries(self) -> list[Entry]:
        """The ledger entries of the sources."""
        return [evidence.entry for evidence in self.evidence.values() if evidence.entry]


@dataclass(frozen=True)
class FileInspector:
    """Takes the inventory of files and gives each file a state.

    Attributes:
        finder: finds stalled files, and files whose object is gone.
        late_seconds: time from a file's arrival until its metrics should be published.
    """

    s3: "S3Client"
    ledger: Ledger
    finder: StalledFinder
    landing_bucket: str
    late_seconds: float

    def take_inventory(self, window: Window) -> Inventory:
        """Combine S3 and the ledger into the evidence of each source.

        Reads all files in flight; the window's dates of archive/ and quarantine/; and the finished ledger entries that
        changed since the window began. For a window of recent dates the cost depends on the number of changes.
        """
        evidence: dict[str, Evidence] = defaultdict(Evidence)
        for source in landed(self.s3, self.landing_bucket):
            evidence[source.source_id].landed = source
        for prefix in _KEPT:
            for day in window.dates:
                for source_id, key in self._kept(prefix, day):
                    evidence[source_id].kept[prefix] = key
        for entry in self._entries(window):
            evidence[entry.source.source_id].entry = entry
        # Only source_ids are looked up: keys under archive/ and quarantine/ may be anything, and the table has fences.
        unknown = [name for name, of_one in evidence.items() if of_one.entry is None and _SOURCE_ID.fullmatch(name)]
        for source_id, entry in self.ledger.entries(unknown).items():
            evidence[source_id].entry = entry
        return Inventory(window, {name: of_one for name, of_one in evidence.items() if _is_in_window(of_one, window)})

    def findings(self, inventory: Inventory) -> Iterator[FileFinding]:
        """Yield the state of each file, in no particular order.

        The pipeline keeps running meanwhile: a file with a gap whose ledger entry has changed since it was read is
        classified again from its new entry.
        """
        findings = {
            source_id: self._of(source_id, known, inventory.window) for source_id, known in inventory.evidence.items()
        }
        suspected = [name for name, file in findings.items() if file.state in BAD_FILES and _SOURCE_ID.fullmatch(name)]
        for source_id, entry in self.ledger.entries(suspected).items():
            evidence = inventory.evidence[source_id]
            if entry != evidence.entry:
                findings[source_id] = self._of_entry(replace(evidence, entry=entry), entry, inventory.window)
        for entry in filter(_others_succeeded_after(inventory.entries), inventory.entries):
            source_id = entry.source.source_id
            findings[source_id] = replace(findings[source_id], is_outlived=True)
        yield from findings.values()

    def _of(self, source_id: str, evidence: Evidence, window: Window) -> FileFinding:
        entry = evidence.entry
        return self._of_entry(evidence, entry, window) if entry else self._of_unknown(source_id, evidence)

    def _entries(self, window: Window) -> Iterable[Entry]:
        begin = f"{window.first}T00:00:00.000Z"
        unfinished = chain.from_iterable(self.ledger.with_status(status) for status in UNFINISHED)
        # A file that arrived in the window has changed since the window began.
        finished = chain.from_iterable(self.ledger.with_status(status, since=begin) for status in FINISHED)
        # A half-retracted file is not finished, so it is included whenever it arrived.
        inspected = (entry for entry in finished if window.holds(entry.source.received_at) or awaits_archiving(entry))
        return chain(unfinished, inspected)

    def _kept(self, prefix: str, day: str) -> Iterator[tuple[str, str]]:
        """Yield source_id and key of the objects under archive/ or quarantine/ for a date of arrival."""
        listing = self.s3.get_paginator("list_objects_v2")
        for page in listing.paginate(Bucket=self.landing_bucket, Prefix=object_keys.kept_on(prefix, day)):
            for listed in page.get("Contents", []):
                if (source_id := object_keys.kept_source(listed["Key"])) is not None:
                    yield source_id, listed["Key"]

    def _of_unknown(self, source_id: str, evidence: Evidence) -> FileFinding:
        if evidence.landed is None:
            [key, *_] = evidence.kept.values()
            is_id = _SOURCE_ID.fullmatch(source_id)
            cause = "no ledger entry has its source_id" if is_id else "its key contains no source_id"
            return FileFinding(source_id, key, State.ORPHAN, f"in {' and '.join(evidence.kept)}/, but {cause}", "")
        source = evidence.landed
        in_flight = FileFinding(source_id, source.key, State.IN_FLIGHT, "", source.received_at, attempt=1)
        if stalled := self.finder.of_unknown(source):
            return replace(in_flight, state=State.MISSING, why=stalled.reason, message=stalled.message)
        return replace(in_flight, why="landed recently; its S3 event is not processed yet")

    def _of_entry(self, evidence: Evidence, entry: Entry, window: Window) -> FileFinding:
        if cause := self._unavailable(entry):
            if not window.holds(entry.updated_at):  # It was reported already, and no repair is possible.
                return finding(entry, State.OK, "")
            state = State.FAILED if entry.status is Status.FAILED else State.ORPHAN
            return finding(entry, state, cause)
        is_moving = entry.status is Status.QUARANTINED and not entry.stays_at_landing_key and evidence.landed
        if is_moving and not self.finder.of_leftover(entry):
            return finding(entry, State.IN_FLIGHT, "being moved to quarantine/")
        stalled = self.finder.of_leftover(entry) if evidence.landed else None
        stalled = stalled or self.finder.of(entry)
        if stalled:
            state = State.FAILED if stalled.reason is StallReason.FAILED else State.STUCK
            parts = [entry.reason] if state is State.FAILED and entry.reason else [str(stalled.reason), entry.reason]
            why = ": ".join(filter(None, parts))
            return finding(entry, state, why, stalled.message, stalled.attempt)
        if entry.status in FINISHED and not awaits_archiving(entry):
            return self._finished(evidence, entry, is_listed=window.holds(entry.source.received_at))
        return self._in_flight(entry)

    def _unavailable(self, entry: Entry) -> str:
        """Return why a file's object cannot be read; '' if it can."""
        if entry.reason == OBJECT_GONE or self.finder.is_gone(entry):
            return "its object was deleted, but not by the pipeline: upload the file again"
        if self.finder.is_unreadable(entry):
            return (
                "S3 does not return its bytes (archive storage class, or another encryption key): "
                "restore the object, or upload it again in storage class STANDARD without SSE-C"
            )
        return ""

    def _finished(self, evidence: Evidence, entry: Entry, *, is_listed: bool) -> FileFinding:
        if entry.stays_at_landing_key:
            why = f"quarantined at its landing key: {entry.reason}"
            return finding(entry, State.OK if evidence.landed else State.ORPHAN, why)
        prefix = "quarantine" if entry.status is Status.QUARANTINED else "archive"
        # A retracted file that was deleted before its archiving needs no copy.
        is_unlisted = is_listed and prefix not in evidence.kept and not entry.is_retracted
        # Its copy may have been made after the prefix was listed.
        if is_unlisted and not objects.exists(self.s3, Place(entry.source.bucket, entry.source.kept_key(prefix), "")):
            return finding(entry, State.ORPHAN, f"{entry.status}, but its copy in {prefix}/ was deleted")
        return finding(entry, State.OK, "")

    def _in_flight(self, entry: Entry) -> FileFinding:
        if awaits_archiving(entry):
            return finding(entry, State.IN_FLIGHT, "published; is being archived")
        is_late = entry.waiting_since < clock.seconds_before(clock.now(), self.late_seconds)
        if is_late:
            return finding(entry, State.LATE, f"{entry.status}, but not published within {self.late_seconds:g} s")
        return finding(entry, State.IN_FLIGHT, str(entry.status))


def _is_in_window(evidence: Evidence, window: Window) -> bool:
    source = evidence.entry.source if evidence.entry else evidence.landed
    if source is None:  # It is an orphan in archive/ or quarantine/, whose landing key is unknown.
        return window.prefix == ""
    return source.key.startswith(window.prefix) and (not evidence.is_finished or window.holds(source.received_at))


def finding(entry: Entry, state: State, why: str, message: str = "", attempt: int = 0) -> FileFinding:
    """Return the finding about a source with a ledger entry; attempt 0: the current one."""
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
    """Return a test: was one of these streams files published between a file's first failure and its last attempt?"""
    published = sorted(entry.published_at for entry in entries if not entry.source.kind.is_reference)

    def others_succeeded(entry: Entry) -> bool:
        after = bisect_right(published, entry.failing_since)
        return entry.failing_since != "" and after < len(published) and published[after] < entry.validated_at

    return others_succeeded
