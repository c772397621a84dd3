"""Permanently erase the lines of users from one file under `archive/` or `quarantine/`, and its older versions.

First write a version without the lines under the same key and read it back, then delete all versions listed before: so
a crash leaves the file complete, and a retry finishes the rest. Delete none if the source's entry has changed
meanwhile: the only copy may be a version written since.
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
from music_streams.validation.file_verdicts import Verdict, validate
from music_streams.validation.gunzip import CHUNK_BYTES, MAX_MEMBERS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_UPLOAD = TransferConfig(use_threads=False)  # one part at a time in memory
_DESCRIPTION = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Metadata")


class NotErasable(MusicStreamsError):
    """A file cannot be searched, or lines cannot be removed from it: it must be deleted. The message says why."""


class FileTooSlow(MusicStreamsError):
    """A file was not searched in time."""


class FileOutcome(Enum):
    """The outcome for a file."""

    ERASED = auto()
    GONE = auto()
    """The file does not exist, or no longer does."""
    MOVED = auto()
    """The source's entry changed, so nothing was deleted."""


@dataclass(frozen=True)
class FileEraser:
    """Erases users from files under `archive/` and `quarantine/`.

    Attributes:
        max_file_bytes: maximum number of uncompressed bytes to read from a file that was never accepted.
        has_time_left: returns whether there is time to continue with a file.
    """

    s3: "S3Client"
    ledger: Ledger
    users: list[int]
    max_file_bytes: int
    has_time_left: Callable[[], bool]

    def erase(self, entry: Entry) -> FileOutcome:
        """Remove the users' lines from all versions of the file.

        Raises:
            NotErasable: the file must be deleted.
            FileTooSlow: searching the file takes too long.
            Unreadable: an archived file cannot be read, or a permission may be missing.
            ArchiveMismatch: the version that was written is not as intended; the file is unchanged.
        """
        versions = list(self._versions(entry))
        places = (version.place for version in versions if version.is_file)
        place = next((place for place in places if place.key == entry.place.key), None)
        unchanged = place and self._rewrite(entry, place)
        to_delete = [version.place for version in versions if version.place != unchanged]
        if not self._delete_unless_changed(entry, to_delete):
            return FileOutcome.MOVED
        return FileOutcome.ERASED if place else FileOutcome.GONE

    def delete(self, entry: Entry) -> FileOutcome:
        """Delete every version of a file."""
        places = [version.place for version in self._versions(entry)]
        return FileOutcome.GONE if self._delete_unless_changed(entry, places) else FileOutcome.MOVED

    def _delete_unless_changed(self, entry: Entry, places: list[Place]) -> bool:
        """Delete the versions. Delete none and return False if the entry has changed since it was read."""
        current = self.ledger.entry(entry.source.source_id)
        if current != entry:
            warn_unfinished(current or entry)
            return False
        for place in reversed(places):
            self._delete(place)
        return True

    def _versions(self, entry: Entry) -> Iterator["_Version"]:
        """Yield all versions of a source under `archive/` and `quarantine/`, and the source itself if it was not moved.

        Of each key delete markers come first, then the newest version: when they are deleted from the end, no older
        version becomes the current one meanwhile.
        """
        source = entry.source
        for prefix in ("archive", "quarantine"):
            yield from self._under(source, source.kept_key(prefix))
        if entry.place == source:
            yield from (
                replace(version, is_file=True)
                for version in self._under(source, source.key)
                if version.place.version_id == source.version_id
            )

    def _under(self, source: Source, key: str) -> Iterator["_Version"]:
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=source.bucket, Prefix=key):
            for is_marker, items in ((True, page.get("DeleteMarkers", [])), (False, page.get("Versions", []))):
                for item in items:
                    if item["Key"] == key:
                        place = Place(source.bucket, key, item["VersionId"])
                        yield _Version(place, is_file=item["IsLatest"] and not is_marker)

    def _rewrite(self, entry: Entry, place: Place) -> Place | None:
        """Return the version if it has no lines of the users; None if a new version was written over it."""
        if entry.place == entry.source:
            raise NotErasable("it was quarantined for its size and cannot be searched")
        try:
            return self._rewrite_within(entry, place, self._limits(entry))
        except TooManyMembers as error:
            raise NotErasable(str(error)) from error
        except Unreadable as error:
            # A missing permission must not delete every quarantined file.
            if entry.status is Status.QUARANTINED and not error.may_lack_permission:
                raise NotErasable(f"it cannot be read: {error}") from error
            raise

    def _rewrite_within(self, entry: Entry, place: Place, limits: "_Limits") -> Place | None:
        stored = partial(objects.read_chunks, self.s3, place)
        validation = validate(entry.source.key, stored(), limits.max_bytes, self.has_time_left, limits.members)
        if validation.verdict is Verdict.TOO_SLOW:
            raise FileTooSlow
        lines = UserLines(self.users, validation.header)
        content = Unpacked(stored(), max_members=limits.members, watched=limits.watch)
        matches = lines.find(content)
        if not matches.lines:
            return place
        if content.is_damaged:
            raise NotErasable("it is damaged gzip with lines of the user, from which no line can be removed")
        plain = Unpacked(stored(), max_members=limits.members, watched=limits.watch)
        self._replace(place, content.pack(lines.without(matches, plain)), limits)
        log.info("removed %s lines from %s", matches.lines, place.uri, extra=about(entry))
        return None

    def _limits(self, entry: Entry) -> "_Limits":
        """Return no limits for a file that was accepted once: MaxFileBytes may have been different then."""
        was_accepted = entry.status is not Status.QUARANTINED or entry.validated_at
        most = (sys.maxsize, sys.maxsize) if was_accepted else (self.max_file_bytes, MAX_MEMBERS)
        return _Limits(*most, self.has_time_left)

    def _replace(self, place: Place, content: Iterator[bytes], limits: "_Limits") -> None:
        """Write a new version over another, and verify it by reading it back.

        Raises:
            ArchiveMismatch: it is not as intended, and was deleted.
            FileTooSlow: it was not written and verified in time, and was deleted.
        """
        intended, stored = hashlib.sha256(), hashlib.sha256()
        described: Mapping[str, Any] = self.s3.head_object(**place.s3_arguments)
        self.s3.upload_fileobj(
            io.BufferedReader(_Stream(_hashed(content, intended)), CHUNK_BYTES),
            place.bucket,
            place.key,
            ExtraArgs=_description(described),
            Config=_UPLOAD,
        )
        newest = self.s3.head_object(Bucket=place.bucket, Key=place.key)
        written = Place(place.bucket, place.key, newest["VersionId"])
        is_verified = False
        try:
            for chunk in limits.until_timeout(objects.read_chunks(self.s3, written)):
                stored.update(chunk)
            is_verified = stored.digest() == intended.digest()
        finally:
            if not is_verified:  # else a retry would use it as the file
                self._delete(written)
        if not is_verified:
            raise ArchiveMismatch(
                f"the stored {written.uri} differs from what was written and was deleted; {place.uri} stays: try again"
            )

    def _delete(self, place: Place) -> None:
        self.s3.delete_object(**place.s3_arguments)


def should_search(entry: Entry) -> bool:
    """Return whether a finished source is a file to search.

    A reference file that is not quarantined stays at its landing key, where its producer replaces it. A streams file
    that was too large to copy is quarantined at its landing key.
    """
    is_uncopied = entry.status is Status.QUARANTINED and not entry.source.kind.is_reference
    return entry.place.key != entry.source.key or is_uncopied


def warn_unfinished(entry: Entry) -> None:
    """Log that a file is skipped."""
    message = "skipped %s, which has not finished (%s): forget again when it has"
    log.warning(message, entry.source.uri, entry.status, extra=about(entry))


def about(entry: Entry) -> dict[str, str]:
    """Return the keys of log lines about a source."""
    return {"source_id": entry.source.source_id}


@dataclass(frozen=True)
class _Limits:
    """How much of a file is read in each pass, and for how long."""

    max_bytes: int
    members: int
    has_time_left: Callable[[], bool]

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same uncompressed bytes; raise if they exceed a limit."""
        size = 0
        for chunk in self.until_timeout(chunks):
            size += len(chunk)
            if size > self.max_bytes:
                raise NotErasable(f"it was never accepted, and has more than {self.max_bytes:,} bytes, uncompressed")
            yield chunk

    def until_timeout(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if not self.has_time_left():
                raise FileTooSlow
            yield chunk


@dataclass(frozen=True)
class _Version:
    """An object version or a delete marker; `is_file`: whether a request for the key returns it."""

    place: Place
    is_file: bool


class _Stream(io.RawIOBase):
    """Chunks as a file-like object for boto3's managed upload."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _description(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object's headers for its next version, without those that are not printable ASCII: S3 rejects them."""
    headers = {name: described[name] for name in _DESCRIPTION if name in described}
    metadata = {name: value for name, value in headers.pop("Metadata", {}).items() if _can_be_sent(name + value)}
    return {name: value for name, value in headers.items() if _can_be_sent(value)} | {"Metadata": metadata}


def _can_be_sent(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _hashed(chunks: Iterable[bytes], digest: Any) -> Iterator[bytes]:  # noqa: ANN401 - hashlib's type has no name
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
