"""The lines of users to be forgotten leave every kept file, for good: no older version stays, no staged copy.

The rows have left the lake before; which sources held some the run's summary tells. Of a quarantined or retracted file
the lake tells nothing, so each is looked at. What is done is noted in the run's folder: a repeat goes on from there.

Of a file, in this order, so that a crash leaves it whole and a repeat completes the rest: a version without the lines
is written under the same key and read back; then all versions that were listed before are deleted. None is deleted
where the source has moved meanwhile: what was made of it since may be the only copy.
"""

import hashlib
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig

from music_streams import clock, objects
from music_streams.aws import PARALLEL_CALLS
from music_streams.errors import ArchiveMismatch
from music_streams.gunzip import CHUNK_BYTES
from music_streams.ledger import Entry, Ledger, Status
from music_streams.packing import Unpacked
from music_streams.runs import RunFolder, read_manifest, read_summary
from music_streams.slices import work_off
from music_streams.sources import ID_DIGITS, Place, Source
from music_streams.user_lines import UserLines
from music_streams.verdicts import judge

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_AT_REST = {Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED}
_NOT_IN_LAKE = (Status.QUARANTINED, Status.RETRACTED)
_SLICE_BYTES = 64 * 1024**2  # what a quarter of the function's time is enough for, and its memory, many times over
_UPLOAD = TransferConfig(use_threads=False)  # in parts, of which one at a time is in memory
_DESCRIPTION = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Metadata")
_STAGED = re.compile(rf"runs/[^/]+/input/([0-9a-f]{{{ID_DIGITS}}})\.csv(\.gz)?")
_NOTES = "erased.json"


@dataclass(frozen=True)
class Erasure:
    """Takes users out of the kept files."""

    s3: "S3Client"
    ledger: Ledger

    def erase(self, manifest_uri: str, has_time: Callable[[], bool]) -> int:
        """Take the users that the manifest names out of the files; may be repeated at any point.

        A file that is on its way somewhere else is left out, with a warning: forgetting is to be asked for again.

        Raises:
            ArchiveMismatch: what was written is not what was meant; the file is as it was.

        Returns:
            How many files or staged copies are left; where any are the step is to be entered again.
        """
        folder = RunFolder.of_manifest(manifest_uri)
        users = read_manifest(self.s3, folder).forget
        if not users:
            return 0
        entries = self._kept_entries(read_summary(self.s3, folder).forgotten)
        done = self._done(folder)
        waiting = [entry for entry in entries if entry.source.source_id not in done]
        left = len(waiting)
        for part in _slices(waiting):
            if left < len(waiting) and not has_time():
                return left
            with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
                are_done = list(pool.map(lambda entry: self._erase_from(entry, users), part))
            done |= {entry.source.source_id for entry, is_done in zip(part, are_done, strict=True) if is_done}
            self._note(folder, done)
            left -= len(part)
        at_rest_since = {
            entry.source.source_id: entry.updated_at for entry in entries if entry.source.source_id in done
        }
        return work_off(list(self._staged(folder.bucket, at_rest_since)), self._delete, has_time)

    def _kept_entries(self, forgotten: list[str]) -> list[Entry]:
        """The entries of the files to look at, all of them at rest."""
        unknown_to_lake = [entry for status in _NOT_IN_LAKE for entry in self.ledger.with_status(status)]
        entries = self.ledger.entries([*forgotten, *(entry.source.source_id for entry in unknown_to_lake)]).values()
        for entry in entries:
            if entry.status not in _AT_REST:
                _warn(entry)
        # A reference file that was not quarantined lies where it landed: it is replaced there, by who put it.
        return [entry for entry in entries if entry.status in _AT_REST and entry.place.key != entry.source.key]

    def _erase_from(self, entry: Entry, users: list[int]) -> bool:
        """Take users out of a file; False where it began to move, so that nothing could be deleted."""
        listed = list(self._versions(entry.source))
        staying = self._cleared(entry, listed, users)
        moved = self.ledger.entry(entry.source.source_id)
        if moved != entry:
            _warn(moved or entry)
            return False
        for version in reversed(listed):
            if version.place != staying:
                self._delete(version.place)
        return True

    def _versions(self, source: Source) -> Iterator["_Version"]:
        """All that lies or lay under the keys where a source is kept.

        Of a key markers first, then the newest version: deleted from the end, no older one becomes the file meanwhile.
        """
        for prefix in ("archive", "quarantine"):
            key = source.kept_key(prefix)
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=source.bucket, Prefix=key):
                for is_marker, found in ((True, page.get("DeleteMarkers", [])), (False, page.get("Versions", []))):
                    for each in found:
                        if each["Key"] == key:
                            place = Place(source.bucket, key, each["VersionId"])
                            yield _Version(place, is_marker, each["IsLatest"])

    def _cleared(self, entry: Entry, listed: list["_Version"], users: list[int]) -> Place | None:
        """See to it that the file holds nothing of the users.

        Returns:
            Its version, where that may stay as it is. None where another was written over it; where it is damaged gzip,
            from which no line can be taken, and is to go as a whole; where there is no file.
        """
        place = next((each.place for each in listed if each.is_file and each.place.key == entry.place.key), None)
        if place is None:
            return None
        lines = UserLines(users, judge(entry.source.key, objects.chunks(self.s3, place), sys.maxsize).header)
        content = Unpacked(objects.chunks(self.s3, place))
        about = _about(entry)
        found = lines.find(content)
        if not found.lines:
            return place
        if content.is_damaged:
            log.warning("%s is damaged gzip and holds what is to be forgotten: it is deleted", place.uri, extra=about)
            return None
        plain = Unpacked(objects.chunks(self.s3, place))
        self._replace(place, content.pack(lines.without(found, plain)))
        log.info("%s lines taken out of %s", found.lines, place.uri, extra=about)
        return None

    def _replace(self, place: Place, content: Iterator[bytes]) -> None:
        """Write a version over another, and prove that it is what was meant.

        Raises:
            ArchiveMismatch: it is not, and was deleted again.
        """
        meant, stored = hashlib.sha256(), hashlib.sha256()
        described: Mapping[str, Any] = self.s3.head_object(**place.address)  # type: ignore[arg-type]  # all are text
        self.s3.upload_fileobj(
            io.BufferedReader(_Stream(_hashed(content, meant)), CHUNK_BYTES),
            place.bucket,
            place.key,
            ExtraArgs={name: described[name] for name in _DESCRIPTION if name in described},
            Config=_UPLOAD,
        )
        newest = self.s3.head_object(Bucket=place.bucket, Key=place.key)
        written = Place(place.bucket, place.key, newest["VersionId"])
        for _ in _hashed(objects.chunks(self.s3, written), stored):
            pass
        if stored.digest() != meant.digest():
            self._delete(written)
            raise ArchiveMismatch(f"{written.uri} was not stored as it was written; {place.uri} stays: try again")

    def _staged(self, bucket: str, at_rest_since: dict[str, str]) -> Iterator[Place]:
        """The copies of sources that past runs have read.

        One that is younger than the source's rest is for a new attempt, of which the ledger does not tell yet.
        """
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="runs/"):
            for found in page.get("Contents", []):
                match = _STAGED.fullmatch(found["Key"])
                if match and clock.stamp(found["LastModified"]) < at_rest_since.get(match[1], ""):
                    yield Place(bucket, found["Key"], "")

    def _delete(self, place: Place) -> None:
        self.s3.delete_object(**place.address)  # type: ignore[arg-type]  # VersionId or nothing

    def _done(self, folder: RunFolder) -> set[str]:
        """The source_ids that are noted as done."""
        # Looked for in the list: who may only list runs/ hears 403, not 404, of an object that is not there.
        if not self.s3.list_objects_v2(Bucket=folder.bucket, Prefix=folder.key(_NOTES)).get("KeyCount"):
            return set()
        notes = self.s3.get_object(Bucket=folder.bucket, Key=folder.key(_NOTES))["Body"].read()
        return set(json.loads(notes)["done"])

    def _note(self, folder: RunFolder, done: set[str]) -> None:
        notes = json.dumps({"done": sorted(done)}).encode()
        self.s3.put_object(Bucket=folder.bucket, Key=folder.key(_NOTES), Body=notes, ContentType="application/json")


@dataclass(frozen=True)
class _Version:
    """An object version or a delete marker."""

    place: Place
    is_marker: bool
    is_latest: bool

    @property
    def is_file(self) -> bool:
        """Whether it is what the key gives."""
        return self.is_latest and not self.is_marker


class _Stream(io.RawIOBase):
    """Chunks as the file-like object that boto3's managed upload reads from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever takes bytes
        """The next bytes; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        taken = min(len(buffer), len(self._rest))
        buffer[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken


def _hashed(chunks: Iterable[bytes], digest: Any) -> Iterator[bytes]:  # noqa: ANN401 - hashlib's type has no name
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    """What is worked on side by side: many small files, or a large one."""
    part: list[Entry] = []
    for entry in entries:
        is_full = len(part) == PARALLEL_CALLS or sum(each.source.size for each in [*part, entry]) > _SLICE_BYTES
        if part and is_full:
            yield part
            part = []
        part.append(entry)
    if part:
        yield part


def _warn(entry: Entry) -> None:
    told = "%s is on its way (%s): forget again when it has come to rest"
    log.warning(told, entry.source.uri, entry.status, extra=_about(entry))


def _about(entry: Entry) -> dict[str, str]:
    return {"source_id": entry.source.source_id}
