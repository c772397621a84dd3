"""A file that cannot be processed is kept under ``quarantine/``, its reason beside it, and the operators hear of it."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams import objects
from music_streams.alerts import Alerts
from music_streams.ledger import Entry, Ledger
from music_streams.runs import SourceOutcome
from music_streams.sources import Place
from music_streams.verdicts import Verdict

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


@dataclass(frozen=True)
class Quarantine:
    """Moves files out of the way of good input."""

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts

    def take(
        self,
        entry: Entry,
        verdict: Verdict,
        detail: str,
        outcome: SourceOutcome | None = None,
        cost: int | None = None,
    ) -> None:
        """Keep a copy and its reason, record it in the ledger, alert, and remove the object from where it lay.

        `outcome` and `cost` are of the run that refused it; validate has none.

        In this order a crash at any point leaves the file in one place at least, and a repeat completes the rest. What
        is too large to be copied within a function's time stays where it lies, with no copy in the ledger.

        Raises:
            ObjectGone: the file was deleted meanwhile.
            Unreadable: S3 does not give its bytes, so it cannot be copied.
        """
        source = entry.source
        key = source.kept_key("quarantine")
        is_copied = not objects.is_larger(self.s3, entry.place, MAX_COPIED_BYTES)
        if is_copied:
            objects.keep_copy(self.s3, entry.place, key)
        reason = {
            "source_id": source.source_id,
            "object": source.uri,
            "received_at": source.received_at,
            "size": source.size,
            "verdict": verdict,
            "detail": detail,
            "what_to_do": _ADVICE[verdict],
        }
        self.s3.put_object(
            Bucket=source.bucket,
            Key=key.rsplit("/", 1)[0] + "/reason.json",
            Body=json.dumps(reason, ensure_ascii=False, indent=1).encode(),
            ContentType="application/json",
        )
        if self.ledger.quarantine(entry, verdict, key if is_copied else "", outcome, cost):
            self._announce(entry, verdict, detail)
            if is_copied:
                self._remove(entry.place, key)

    def finish(self, entry: Entry) -> None:
        """Complete what a crash may have left open after the ledger said QUARANTINED."""
        if entry.stays_in_place:
            return
        source = entry.source
        left_in = [source, Place(source.bucket, source.kept_key("archive"), "")]
        for place in left_in:
            if objects.exists(self.s3, place):
                self._announce(entry, Verdict(entry.reason), "Found still in place when its event came again.")
                self._remove(place, entry.archive_key)

    def _announce(self, entry: Entry, verdict: Verdict, detail: str) -> None:
        source = entry.source
        subject = f"music-streams: {verdict}: {source.key.rsplit('/', 1)[-1]}"
        what_to_do = f"What to do: {_ADVICE[verdict]}."
        self.alerts.send(subject, [f"{source.uri} is quarantined: {verdict}.", detail, what_to_do])

    def _remove(self, place: Place, kept_key: str) -> None:
        if place.key != kept_key:
            self.s3.delete_object(**place.address)  # type: ignore[arg-type]  # VersionId or nothing
