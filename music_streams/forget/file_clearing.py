"""One kept file without the lines of some users, for good: no older version stays.

In this order, so that a crash leaves the file whole and a repeat completes the rest: a version without the lines is
written under the same key and read back; then all versions that were listed before are deleted. None is deleted where
the source has moved meanwhile: what was made of it since may be the only copy.
"""

import hashlib
import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig

from music_streams.aws import objects
from music_streams.aws.objects import Place
from music_streams.errors import ArchiveMismatch, MusicStreamsError, TooManyMembers, Unreadable
from music_streams.forget.recompression import Unpacked
from music_streams.forget.user_lines import UserLines
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams.validation.gunzip import CHUNK_BYTES, MAX_MEMBERS
from music_streams.validation.verdicts import Verdict, validate

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_UPLOAD = TransferConfig(use_threads=False)  # in parts, of which one at a time is in memory
_DESCRIPTION = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Metadata")


class Unclearable(MusicStreamsError):
    """A file cannot be looked through, or no line can be taken from it: it is to be deleted whole. Says why."""


class FileTooSlow(MusicStreamsError):
    """Looking through a file was not done in time."""


class FileOutcome(Enum):
    """What became of a file."""

    CLEARED = auto()
    GONE = auto()
    """There was no file, or there is none any more."""
    MOVED = auto()
    """The source began to move, so that nothing was deleted."""


@dataclass(frozen=True)
class Clearing:
    """Takes users out of kept files.

    Attributes:
        max_file_bytes: what is read, uncompressed, of a file that never was accepted.
        is_in_time: whether a file may be looked at any further.
    """

    s3: "S3Client"
    ledger: Ledger
    users: list[int]
    max_file_bytes: int
    is_in_time: Callable[[], bool]

    def clear(self, entry: Entry) -> FileOutcome:
        """See to it that nothing of the users stays in any version of the file.

        Raises:
            Unclearable: it has to be deleted whole.
            FileTooSlow: it takes too long.
            Unreadable: it is a copy of the archive, which is to be readable, and is not; or a right may be missing.
            ArchiveMismatch: what was written is not what was meant; the file is as it was.
        """
        listed = list(self._versions(entry))
        place = next((each.place for each in listed if each.is_file and each.place.key == entry.place.key), None)
        staying = place and self._rewritten(entry, place)
        if not self._sweep(entry, [each.place for each in listed if each.place != staying]):
            return FileOutcome.MOVED
        return FileOutcome.CLEARED if place else FileOutcome.GONE

    def delete(self, entry: Entry) -> FileOutcome:
        """Delete every version of a file."""
        listed = [each.place for each in self._versions(entry)]
        return FileOutcome.GONE if self._sweep(entry, listed) else FileOutcome.MOVED

    def _sweep(self, entry: Entry, places: list[Place]) -> bool:
        """Delete versions that were listed; none, and False, where the source has moved since its entry was read."""
        moved = self.ledger.entry(entry.source.source_id)
        if moved != entry:
            warn_of_move(moved or entry)
            return False
        for place in reversed(places):
            self._delete(place)
        return True

    def _versions(self, entry: Entry) -> Iterator["_Version"]:
        """All that lies or lay under the keys where a source is kept; of where it landed the version that it is.

        Of a key markers first, then the newest version: deleted from the end, no older one becomes the file meanwhile.
        """
        source = entry.source
        for prefix in ("archive", "quarantine"):
            yield from self._under(source, source.kept_key(prefix))
        if entry.place == source:
            yield from (
                replace(each, is_file=True)
                for each in self._under(source, source.key)
                if each.place.version_id == source.version_id
            )

    def _under(self, source: Source, key: str) -> Iterator["_Version"]:
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=source.bucket, Prefix=key):
            for is_marker, found in ((True, page.get("DeleteMarkers", [])), (False, page.get("Versions", []))):
                for each in found:
                    if each["Key"] == key:
                        place = Place(source.bucket, key, each["VersionId"])
                        yield _Version(place, is_file=each["IsLatest"] and not is_marker)

    def _rewritten(self, entry: Entry, place: Place) -> Place | None:
        """The version, where it may stay as it is; None where another was written over it."""
        if entry.place == entry.source:
            raise Unclearable("it was quarantined for its size without being looked through")
        try:
            return self._without_users(entry, place, self._limits(entry))
        except TooManyMembers as error:
            raise Unclearable(str(error)) from error
        except Unreadable as error:
            # A role that lost a right must not cost the whole quarantine.
            if entry.status is Status.QUARANTINED and not error.may_lack_permission:
                raise Unclearable(f"it cannot be read: {error}") from error
            raise

    def _without_users(self, entry: Entry, place: Place, limits: "_Limits") -> Place | None:
        stored = partial(objects.chunks, self.s3, place)
        validation = validate(entry.source.key, stored(), limits.max_bytes, self.is_in_time, limits.members)
        if validation.verdict is Verdict.TOO_SLOW:
            raise FileTooSlow
        lines = UserLines(self.users, validation.header)
        content = Unpacked(stored(), max_members=limits.members, watched=limits.watch)
        found = lines.find(content)
        if not found.lines:
            return place
        if content.is_damaged:
            raise Unclearable("it is damaged gzip, from which no line can be taken, and holds what is to be forgotten")
        plain = Unpacked(stored(), max_members=limits.members, watched=limits.watch)
        self._replace(place, content.pack(lines.without(found, plain)), limits)
        log.info("%s lines taken out of %s", found.lines, place.uri, extra=about(entry))
        return None

    def _limits(self, entry: Entry) -> "_Limits":
        """Of a file that was accepted once all is read: MaxFileBytes may have been another then."""
        was_accepted = entry.status is not Status.QUARANTINED or entry.validated_at
        most = (sys.maxsize, sys.maxsize) if was_accepted else (self.max_file_bytes, MAX_MEMBERS)
        return _Limits(*most, self.is_in_time)

    def _replace(self, place: Place, content: Iterator[bytes], limits: "_Limits") -> None:
        """Write a version over another, and prove that it is what was meant.

        Raises:
            ArchiveMismatch: it is not, and was deleted again.
            FileTooSlow: it was not written and proven in time; nothing of it stays.
        """
        meant, stored = hashlib.sha256(), hashlib.sha256()
        described: Mapping[str, Any] = self.s3.head_object(**place.address)  # type: ignore[arg-type]  # all are text
        self.s3.upload_fileobj(
            io.BufferedReader(_Stream(_hashed(content, meant)), CHUNK_BYTES),
            place.bucket,
            place.key,
            ExtraArgs=_description(described),
            Config=_UPLOAD,
        )
        newest = self.s3.head_object(Bucket=place.bucket, Key=place.key)
        written = Place(place.bucket, place.key, newest["VersionId"])
        is_proven = False
        try:
            for chunk in limits.in_time(objects.chunks(self.s3, written)):
                stored.update(chunk)
            is_proven = stored.digest() == meant.digest()
        finally:
            if not is_proven:  # else a repeat would take it for the file
                self._delete(written)
        if not is_proven:
            raise ArchiveMismatch(f"{written.uri} was not stored as it was written; {place.uri} stays: try again")

    def _delete(self, place: Place) -> None:
        self.s3.delete_object(**place.address)  # type: ignore[arg-type]  # VersionId or nothing


def is_kept(entry: Entry) -> bool:
    """Whether a source at rest is a file of ours to look through.

    A reference file that was not quarantined lies where it landed: it is replaced there, by who put it. A stream file
    that was too large to be copied is quarantined where it landed.
    """
    is_uncopied = entry.status is Status.QUARANTINED and not entry.source.kind.is_reference
    return entry.place.key != entry.source.key or is_uncopied


def warn_of_move(entry: Entry) -> None:
    """Log that a file is left as it is."""
    told = "%s is on its way (%s): forget again when it has come to rest"
    log.warning(told, entry.source.uri, entry.status, extra=about(entry))


def about(entry: Entry) -> dict[str, str]:
    """The keys of lines about a source."""
    return {"source_id": entry.source.source_id}


@dataclass(frozen=True)
class _Limits:
    """How much of a file is read at each look, and how long."""

    max_bytes: int
    members: int
    is_in_time: Callable[[], bool]

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same uncompressed bytes, as far as the limits allow."""
        size = 0
        for chunk in self.in_time(chunks):
            size += len(chunk)
            if size > self.max_bytes:
                raise Unclearable(f"it never was accepted, and holds more than {self.max_bytes:,} bytes, uncompressed")
            yield chunk

    def in_time(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if not self.is_in_time():
                raise FileTooSlow
            yield chunk


@dataclass(frozen=True)
class _Version:
    """An object version or a delete marker; the file is what the key gives."""

    place: Place
    is_file: bool


class _Stream(io.RawIOBase):
    """Chunks as the file-like object that boto3's managed upload reads from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever takes bytes
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        taken = min(len(buffer), len(self._rest))
        buffer[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken


def _description(described: Mapping[str, Any]) -> dict[str, Any]:
    """What S3 tells of an object, for its next version; left out is what is not printable ASCII: it cannot be sent."""
    told = {name: described[name] for name in _DESCRIPTION if name in described}
    metadata = {name: value for name, value in told.pop("Metadata", {}).items() if _can_be_sent(name + value)}
    return {name: value for name, value in told.items() if _can_be_sent(value)} | {"Metadata": metadata}


def _can_be_sent(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _hashed(chunks: Iterable[bytes], digest: Any) -> Iterator[bytes]:  # noqa: ANN401 - hashlib's type has no name
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
