"""Which versions of the reference files a run reads: of each key the newest that is accepted and can be read.

A key whose newest version is a delete marker has none. A version that was published once stays accepted, whatever the
limit is now; of one that was not published yet, the run computes itself whether it will be quarantined.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from music_streams import clock, display
from music_streams.aws.clients import PARALLEL_CALLS
from music_streams.errors import ObjectGone, UnparsableReference, Unreadable
from music_streams.reference.parsed import PARSER_VERSION, ParsedFile
from music_streams.state.ledger import Entry
from music_streams.state.object_keys import Kind, kind_of
from music_streams.state.sources import ID_DIGITS, Source, Treatment
from music_streams.state.statuses import Status

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Entries = Callable[[Iterable[str]], dict[str, Entry]]
"""Returns the ledger entries of some source_ids, as :meth:`Ledger.entries` does."""
_PREFIXES = {Kind.SONGS: "reference/songs/", Kind.USERS: "reference/users/"}


@dataclass(frozen=True)
class VersionsInForce:
    """The parsed versions that a run reads, by key.

    Attributes:
        others: why the newest version of a songs key is not read, for people.
        left_out: by source_id, why a published version cannot be read any more.
    """

    songs: list[ParsedFile] = field(default_factory=list)
    users: list[ParsedFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """`reference_version`: epoch milliseconds of the newest object; 0 if there is none."""
        times = (clock.parse(file.source.received_at).timestamp() for file in [*self.songs, *self.users])
        return max((int(time * 1000) for time in times), default=0)

    @property
    def digest(self) -> str:
        """Identifies the rows of all versions."""
        return f"{_digest(self.songs)}-{_digest(self.users)}"

    @property
    def songs_digest(self) -> str:
        """Identifies the rows of the songs versions."""
        return _digest(self.songs)

    @property
    def found_songs(self) -> list[str]:
        """Each songs file that was found, with the number of its usable rows, or why it is not read."""
        return [*map(_described, self.songs), *self.others]


@dataclass(frozen=True)
class ReferenceFiles:
    """The reference files of a landing bucket.

    Attributes:
        entries: returns the ledger entries of some source_ids.
        parsed: returns the parsed file of a version; None to use the version before it.
    """

    s3: "S3Client"
    landing_bucket: str
    entries: Entries
    parsed: Callable[[Source], ParsedFile | None]
    max_rejected_ratio: Decimal

    def in_force(self) -> VersionsInForce:
        """Return the versions that a run reads now."""
        result = VersionsInForce()
        result.songs.extend(self._in_force(Kind.SONGS, result))
        result.users.extend(self._in_force(Kind.USERS, result))
        return result

    def _in_force(self, kind: Kind, result: VersionsInForce) -> list[ParsedFile]:
        unchecked = self._versions(_PREFIXES[kind])
        chosen: dict[str, ParsedFile] = {}
        problems: dict[str, str] = {}
        while unchecked:
            newest = {key: versions.pop(0) for key, versions in unchecked.items()}
            for (key, source), found in zip(newest.items(), self._checked(newest.values()), strict=True):
                if isinstance(found, ParsedFile):
                    chosen[key] = found
                    continue
                problems.setdefault(key, f"{source.uri}: {found}")
                if found.is_alert:
                    result.left_out[source.source_id] = f"{source.uri}: {found}"
            unchecked = {key: versions for key, versions in unchecked.items() if versions and key not in chosen}
        if kind is Kind.SONGS:
            result.others.extend(problem for key, problem in sorted(problems.items()) if key not in chosen)
        return [chosen[key] for key in sorted(chosen)]

    def _versions(self, prefix: str) -> dict[str, list[Source]]:
        """Return the versions of each key that was not deleted, newest first; `received_at` is S3's LastModified."""
        by_key: dict[str, list[Source]] = {}
        deleted: set[str] = set()
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.landing_bucket, Prefix=prefix)
        for page in pages:
            deleted |= {marker["Key"] for marker in page.get("DeleteMarkers", []) if marker["IsLatest"]}
            for item in page.get("Versions", []):
                if kind_of(item["Key"]) is None:  # a folder marker
                    continue
                received_at = clock.timestamp(item["LastModified"])
                source = Source(self.landing_bucket, item["Key"], item["VersionId"], item["Size"], received_at)
                by_key.setdefault(item["Key"], []).append(source)
        return {key: versions for key, versions in by_key.items() if key not in deleted}

    def _checked(self, versions: Collection[Source]) -> "list[ParsedFile | _NotUsable]":
        """Return the parsed file of each version, or why it is not used."""
        entries = self.entries(source.source_id for source in versions)

        def check(source: Source) -> "ParsedFile | _NotUsable":
            try:
                return self._usable(source, entries.get(source.source_id))
            except _NotUsable as problem:
                return problem

        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            return list(pool.map(check, versions))

    def _usable(self, source: Source, entry: Entry | None) -> ParsedFile:
        if entry is None:
            raise _NotUsable("not validated yet")
        if not entry.is_accepted:
            rows = f" ({_counts(entry.rows_read, entry.rejected)})" if entry.rows_read else ""
            raise _NotUsable(f"{entry.status} {entry.reason}".strip() + rows)
        was_published = bool(entry.first_published_at) or entry.status in {Status.PUBLISHED, Status.ARCHIVED}
        try:
            parsed = self.parsed(source)
        except (ObjectGone, Unreadable, UnparsableReference) as error:
            raise _NotUsable(str(error), is_alert=was_published) from error
        if parsed is None:
            raise _NotUsable("not parsed yet")
        has_limit = not was_published and entry.treatment is not Treatment.ACCEPT_BAD_ROWS
        if has_limit and parsed.has_too_many_bad_rows(self.max_rejected_ratio):
            raise _NotUsable(f"too_many_bad_rows ({_counts(parsed.rows_read, parsed.rejected)})")
        return parsed


class _NotUsable(Exception):
    """A version is not read; the message says why, `is_alert` whether operators must know."""

    def __init__(self, message: str, *, is_alert: bool = False) -> None:
        super().__init__(message)
        self.is_alert = is_alert


def _described(file: ParsedFile) -> str:
    return f"{file.source.uri}: {_counts(file.rows_read, file.rejected)}"


def _counts(rows_read: int, rejected: Mapping[str, int]) -> str:
    usable = f"{rows_read - sum(rejected.values()):,} of {rows_read:,} rows are usable"
    return f"{usable}, the others: {display.counts(rejected)}" if rejected else usable


def _digest(files: list[ParsedFile]) -> str:
    text = "\n".join([str(PARSER_VERSION), *sorted(file.source.source_id for file in files)])
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
