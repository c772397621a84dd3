"""Quarantines files: moves them to ``quarantine/`` with `reason.json` beside them, and sends an alert.

An invocation sends one alert for all files that it quarantines with the same verdict, not one for each file.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from music_streams import display
from music_streams.aws import objects
from music_streams.aws.alert_sender import Alerts, listed
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.aws.json_objects import write_json
from music_streams.aws.objects import Place
from music_streams.state import object_keys
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import SourceOutcome
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Verdict

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MAX_COPIED_BYTES = 5 * 1024**3  # the limit of CopyObject; larger copies may exceed a function's timeout
_ASK = "ask the producer for a fixed file and upload it"
_ADVICE = {
    Verdict.BAD_KEY: "upload the file again under a name that ends in .csv (a streams file: .csv or .csv.gz)",
    Verdict.TOO_SLOW: "split the file and upload the parts; a gzip file should have one member only",
    Verdict.EMPTY_FILE: "find out why the producer wrote no rows, and upload the complete file",
    Verdict.TOO_LARGE: "split the file and upload the parts, or raise MaxFileBytes and upload the file again",
    Verdict.NOT_UTF8: "encode the file as UTF-8 and upload it again",
    Verdict.NOT_CSV: "fix what the detail describes and upload the file again",
    Verdict.MISSING_COLUMNS: "write the exact names of all required columns in the header, and upload the file again",
    Verdict.TOO_MANY_BAD_ROWS: f"{_ASK}; or, if the valid rows of this one are enough, release it",
    Verdict.TOO_MANY_DAYS: f"{_ASK}; or, if the listen times of this one are correct, release it",
    Verdict.TOO_MANY_ATTEMPTS: "fix the cause, which the alerts of the failed executions name, and release the file",
}
_MAX_DETAIL = 1_000  # characters


@dataclass(frozen=True)
class _Announcement:
    """A file that the next alert reports.

    Attributes:
        places: objects to delete after the alert.
        record: changes the ledger after the alert, if that was not done before.
    """

    entry: Entry
    verdict: Verdict
    detail: str
    places: Sequence[Place] = ()
    record: Callable[[], object] | None = None

    @property
    def line(self) -> str:
        """The line of the alert."""
        source = self.entry.source
        return f"{source.uri}: {self.detail} (source_id {source.source_id})"


@dataclass(frozen=True)
class Quarantine:
    """Moves files that cannot be processed to quarantine.

    Callers of :meth:`add` and :meth:`finish` must call :meth:`flush` before they end, even after an error. An object is
    deleted only after its alert was sent: until then, the next delivery of its event or the next call of the step finds
    it and sends the alert. A file that is in quarantine already, or that is too large to move, is not deleted, so its
    alert is sent before the ledger changes. Therefore every alert is sent at least once, whenever an invocation dies.
    """

    s3: "S3Client"
    ledger: Ledger
    alerts: Alerts
    _announcements: list[_Announcement] = field(default_factory=list, repr=False)

    def add(
        self, entry: Entry, verdict: Verdict, detail: str, outcome: SourceOutcome | None = None, cost: int | None = None
    ) -> None:
        """Copy a file to quarantine, write its reason and record both in the ledger; :meth:`flush` does the rest.

        `outcome` and `cost` are of the run that rejected the file; validate has none. `detail` is cut at _MAX_DETAIL.

        Idempotent: with this order of steps, a crash leaves at least one copy of the file, and a repeat completes the
        rest. A file of more than MAX_COPIED_BYTES, and a reference file that a run rejected, stay where they landed;
        the ledger entry has no archive_key.

        Raises:
            ObjectGone: the file was deleted meanwhile.
            Unreadable: S3 refuses to return its bytes, so it cannot be copied.
        """
        source = entry.source
        key = source.kept_key("quarantine")
        is_copied = self._is_moved(entry)
        if is_copied:
            objects.copy_and_verify(self.s3, entry.place, key)
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
        reason_key = object_keys.reason_key(key)
        write_json(self.s3, source.bucket, reason_key, reason, indent=1, is_ascii=True)  # safe to print on terminals
        record = partial(self.ledger.mark_quarantined, entry, verdict, key if is_copied else "", outcome, cost)
        if entry.place.key == key or not is_copied:
            self._announcements.append(_Announcement(entry, verdict, detail, record=record))
        elif record():
            self._announcements.append(_Announcement(entry, verdict, detail, [entry.place]))

    def _is_moved(self, entry: Entry) -> bool:
        if entry.source.kind.is_reference and entry.status is Status.RUNNING:
            return False  # Runs read reference files at their landing keys, so it stays there for its release.
        stored = objects.read_metadata(self.s3, entry.place)
        return stored is None or stored.size <= MAX_COPIED_BYTES

    def finish(self, entry: Entry) -> None:
        """Find what a crash left to do after the change to QUARANTINED; :meth:`flush` completes it."""
        if entry.stays_at_landing_key:
            return
        source = entry.source
        origins = [source, Place(source.bucket, source.kept_key("archive"), "")]
        places = [place for place in origins if place.key != entry.archive_key and objects.exists(self.s3, place)]
        if places:
            detail = "it was quarantined earlier, perhaps with an alert; its original is deleted only now"
            self._announcements.append(_Announcement(entry, Verdict(entry.reason), detail, places))

    def flush(self) -> None:
        """Send one alert for each verdict about all files since the last call, then delete their originals.

        If this raises, a retry of the invocation completes the rest.
        """
        batches: dict[Verdict, dict[str, _Announcement]] = {}
        while self._announcements:
            announced = self._announcements.pop(0)
            # If a batch has two deliveries of an event, the first one has the detail of the verdict.
            batches.setdefault(announced.verdict, {}).setdefault(announced.entry.source.source_id, announced)
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
                f"What to do: music-streams show FILE shows the detail and the commands; then {_ADVICE[verdict]}.",
                "Runbook: docs/runbooks.md#a-file-was-quarantined",
                *listed([announced.line for announced in batch]),
            ],
        )

    def _complete(self, announced: _Announcement) -> None:
        if announced.record:
            announced.record()
        for place in announced.places:
            self.s3.delete_object(**place.s3_arguments)
