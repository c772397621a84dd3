"""A file that cannot be processed is kept under ``quarantine/``, its reason beside it, and the operators hear of it.

An invocation quarantines its files one by one and announces them together: a batch of a hundred bad files is one alert
a reason, not a hundred.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from music_streams import display
from music_streams.aws import objects
from music_streams.aws.alert_topic import Alerts, listed
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.aws.json_objects import write_json
from music_streams.aws.objects import Place
from music_streams.state import object_keys
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import SourceOutcome
from music_streams.validation.verdicts import Verdict

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MAX_COPIED_BYTES = 5 * 1024**3  # what S3 copies in one call, and in a function's time
_ADVICE = {
    Verdict.BAD_KEY: "give the object a name that ends in .csv (streams: or .csv.gz) and upload it again",
    Verdict.TOO_SLOW: "split the file and upload the parts; a gzip file of few members is read faster",
    Verdict.EMPTY_FILE: "find out why the producer wrote no rows; upload the real file",
    Verdict.TOO_LARGE: "split the file, or raise MaxFileBytes, and upload it again",
    Verdict.NOT_UTF8: "write the file as UTF-8 and upload it again",
    Verdict.NOT_CSV: "mend the file at the place named and upload it again",
    Verdict.MISSING_COLUMNS: "write the header row with every column that its kind of file needs, names exact",
    Verdict.TOO_MANY_BAD_ROWS: "see the rejected counts; mend the producer, or raise MaxRejectedRatio; put it again",
    Verdict.TOO_MANY_DAYS: "check its listen_time column; where it is right, release it: its days are recomputed then",
    Verdict.TOO_MANY_ATTEMPTS: "see why its runs failed (music-streams show); once mended, release it",
}


_MAX_DETAIL = 1_000  # characters


@dataclass(frozen=True)
class _Announcement:
    """A file of which the operators are to hear.

    Attributes:
        places: where it still lies, to be removed once they have.
        record: what is to be done in the ledger once they have, where that was not done before.
    """

    entry: Entry
    verdict: Verdict
    detail: str
    places: Sequence[Place] = ()
    record: Callable[[], object] | None = None

    @property
    def line(self) -> str:
        """What the alert says of it."""
        source = self.entry.source
        return f"{source.uri}: {self.detail} (source_id {source.source_id})"


@dataclass(frozen=True)
class Quarantine:
    """Moves files out of the way of good input.

    Whoever calls :meth:`take` or :meth:`finish` calls :meth:`flush` before it ends, also where it ends by an error. An
    object is removed only after the alert about it was sent: as long as it is in place, the next delivery of its
    event, or the next call of the step, finds it there and announces it. Of a file that was released from quarantine,
    or is too large to be moved, nothing is removed: its alert comes before the ledger's move. So no alert is lost,
    whenever an invocation dies; some are sent twice.
    """

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    _announcements: list[_Announcement] = field(default_factory=list, repr=False)

    def take(
        self, entry: Entry, verdict: Verdict, detail: str, outcome: SourceOutcome | None = None, cost: int | None = None
    ) -> None:
        """Keep a copy and its reason, record it in the ledger; :meth:`flush` does the rest.

        `outcome` and `cost` are of the run that refused it; validate has none. `detail` is cut at 1,000 characters.

        In this order a crash at any point leaves the file in one place at least, and a repeat completes the rest. What
        is too large to be copied within a function's time stays where it lies, with no copy in the ledger.

        Raises:
            ObjectGone: the file was deleted meanwhile.
            Unreadable: S3 does not give its bytes, so it cannot be copied.
        """
        source = entry.source
        key = source.kept_key("quarantine")
        found = objects.stored(self.s3, entry.place)
        is_copied = found is None or found.size <= MAX_COPIED_BYTES
        if is_copied:
            objects.keep_copy(self.s3, entry.place, key)
        detail = display.cut(detail, _MAX_DETAIL)
        reason = {
            "source_id": source.source_id,
            "object": source.uri,
            "received_at": source.received_at,
            "size": source.size,
            "verdict": verdict,
            "detail": detail,
            "what_to_do": _ADVICE[verdict],
        }
        place = object_keys.reason_key(key)
        write_json(self.s3, source.bucket, place, reason, indent=1, is_ascii=True)  # people print it on terminals
        record = partial(self.ledger.quarantine, entry, verdict, key if is_copied else "", outcome, cost)
        if entry.place.key == key or not is_copied:
            self._announcements.append(_Announcement(entry, verdict, detail, record=record))
        elif record():
            self._announcements.append(_Announcement(entry, verdict, detail, [entry.place]))

    def finish(self, entry: Entry) -> None:
        """See what a crash may have left open after the ledger said QUARANTINED; :meth:`flush` completes it."""
        if entry.stays_in_place:
            return
        source = entry.source
        left_in = [source, Place(source.bucket, source.kept_key("archive"), "")]
        places = [place for place in left_in if place.key != entry.archive_key and objects.exists(self.s3, place)]
        if places:
            detail = "found still in place when its event came again"
            self._announcements.append(_Announcement(entry, Verdict(entry.reason), detail, places))

    def flush(self) -> None:
        """Send one alert a reason about all files since the last call, then remove them from where they lay.

        Where this raises, a repeat of the invocation does what is left.
        """
        batches: dict[Verdict, dict[str, _Announcement]] = {}
        while self._announcements:
            each = self._announcements.pop(0)
            # Two deliveries of an event in one batch: what the first of them says is what was wrong.
            batches.setdefault(each.verdict, {}).setdefault(each.entry.source.source_id, each)
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            for verdict, batch in batches.items():
                self._announce(verdict, list(batch.values()))
                list(pool.map(self._complete, batch.values()))

    def _announce(self, verdict: Verdict, batch: Sequence[_Announcement]) -> None:
        name = batch[0].entry.source.name
        count = display.plural(len(batch), "file")
        self.alerts.send(
            f"music-streams: {verdict}: {name if len(batch) == 1 else count}",
            [
                f"{count} quarantined: {verdict}.",
                f"What to do: {_ADVICE[verdict]}.",
                *listed([each.line for each in batch]),
            ],
        )

    def _complete(self, announced: _Announcement) -> None:
        if announced.record:
            announced.record()
        for place in announced.places:
            self.s3.delete_object(**place.address)  # type: ignore[arg-type]  # VersionId or nothing
