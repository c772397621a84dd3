"""The validation of a file in one pass over its bytes, in bounded memory.

The verdicts and their order: docs/design.md, section 3, File verdicts. The file is read in chunks; only the header
line, at most 64 KiB or 1 MiB, and one chunk are kept in memory. A later part of the file can cause a verdict that has
precedence over the first one found, so reading continues while that can happen.
"""

import codecs
import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from music_streams.errors import TooManyMembers
from music_streams.state.object_keys import Kind, kind_of
from music_streams.validation import csv_line
from music_streams.validation.gunzip import CHUNK_BYTES, MAX_MEMBERS, gunzip

REQUIRED_COLUMNS = {
    Kind.STREAMS: ("user_id", "track_id", "listen_time"),
    Kind.SONGS: ("track_id", "track_name", "artists", "duration_ms", "track_genre"),
    Kind.USERS: ("user_id", "user_country"),
}
_SUFFIXES = {Kind.STREAMS: (".csv", ".csv.gz"), Kind.SONGS: (".csv",), Kind.USERS: (".csv",)}
_MAX_LISTED = 5  # duplicate columns that a verdict lists
MAX_LINE_BYTES = 64 * 1024  # of a streams file
MAX_RECORD_BYTES = 1024 * 1024  # of a reference file; a longer record is malformed
MAX_COLUMNS = 1_000
"""The maximum of a streams file, so that the headers of a batch fit into a function's memory."""
GZIP_MAGIC = b"\x1f\x8b"
_LINE_ENDS = (b"\n", b"\r")
_BLANK = csv_line.BLANK.encode()
_NON_BLANK = re.compile(b"[^" + re.escape(_BLANK) + b"]")


class Verdict(StrEnum):
    """Why a file is quarantined. The verdicts of validation are in order of precedence; the last three come later."""

    BAD_KEY = "bad_key"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    EMPTY_FILE = "empty_file"
    NOT_UTF8 = "not_utf8"
    NOT_CSV = "not_csv"
    MISSING_COLUMNS = "missing_columns"
    TOO_MANY_BAD_ROWS = "too_many_bad_rows"
    TOO_MANY_DAYS = "too_many_days"
    TOO_MANY_ATTEMPTS = "too_many_attempts"


@dataclass(frozen=True)
class Validation:
    """The result of validating a file.

    Attributes:
        verdict: why the file is quarantined, or None if it is valid.
        detail: what is wrong and where, for people.
        header: the column names, if the file is valid.
        is_gzip: detected by the magic bytes, not by the name.
    """

    verdict: Verdict | None
    detail: str = ""
    header: list[str] = field(default_factory=list)
    is_gzip: bool = False


def validate(
    key: str,
    chunks: Iterable[bytes],
    max_bytes: int,
    has_time: Callable[[], bool] = lambda: True,
    max_members: int = MAX_MEMBERS,
) -> Validation:
    """Validate a file by its key and bytes, without reading more of it than the limits allow.

    Args:
        key: the object's key; its suffix must be .csv, or for streams .csv.gz, in any case.
        chunks: the stored bytes, in pieces of any size.
        max_bytes: the largest uncompressed size that is accepted.
        has_time: returns whether there is time left for the file; called at least once for each stored chunk.
        max_members: how many members a gzip file may have.
    """
    kind = kind_of(key) or Kind.STREAMS
    if not key.lower().endswith(_SUFFIXES[kind]):
        return Validation(Verdict.BAD_KEY, f"the key does not end in {' or '.join(_SUFFIXES[kind])}: {key!r}")
    stored, is_gzip = _detect_gzip(chunks)
    # A file of max_bytes never has more bytes than this as gzip.
    stored = _limit_bytes(stored, max_bytes + max_bytes // 64 + 2 * CHUNK_BYTES)
    scan = _Scan(
        max_bytes, MAX_RECORD_BYTES if kind.is_reference else MAX_LINE_BYTES, limits_lines=not kind.is_reference
    )
    try:
        content = gunzip(stored, max_members) if is_gzip else stored
        for chunk in _with_full_first_chunk(_until_timeout(content, has_time)):
            scan.feed(chunk)
            if scan.is_too_large:
                break
    except _StoredTooLargeError:
        scan.is_too_large = True
    except _FileTimeoutError:
        return Validation(Verdict.TOO_SLOW, f"reading it timed out after {scan.size:,} uncompressed bytes")
    except TooManyMembers as error:
        scan.gzip_error = f"{error}"
    except zlib.error as error:
        scan.gzip_error = f"the gzip stream is truncated or damaged ({error})"
    return scan.result(kind, is_gzip=is_gzip)


def uncompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a file that validation accepted, in chunks of any size."""
    stored, is_gzip = _detect_gzip(chunks)
    return gunzip(stored) if is_gzip else stored


def _duplicate_columns(header: list[str], required: tuple[str, ...]) -> str:
    """List the first few columns of a header that have the name of an earlier one; '' if there are none.

    Only names of the contract are quoted: in a file without a header, any other would be a row's value.
    """
    first: dict[str, int] = {}
    duplicates = [(n, name) for n, name in enumerate(header, start=1) if first.setdefault(name, n) != n]
    shown = [
        f"column {n} repeats column {first[name]}{f' ({name})' if name in required else ''}"
        for n, name in duplicates[:_MAX_LISTED]
    ]
    return ", ".join(shown) + (f" and {len(duplicates) - _MAX_LISTED} more" if len(duplicates) > _MAX_LISTED else "")


class _Scan:
    """The state of one pass over the uncompressed bytes."""

    def __init__(self, max_bytes: int, max_header_bytes: int, *, limits_lines: bool) -> None:
        self.max_bytes = max_bytes
        self._max_header_bytes = max_header_bytes
        self._limits_lines = limits_lines
        self.size = 0
        self.is_too_large = False  # no later part of the file can cause a verdict with precedence over this one
        self.is_blank = True
        self.utf8_error = ""
        self.csv_error = ""
        self.gzip_error = ""
        self._header = bytearray()
        self._header_has_content = False
        self.has_header = False
        self._line_bytes = 0  # length so far of the line that the next chunk continues
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        if not chunk:  # An empty chunk would make _collect_header search the header line again.
            return
        if self.size == 0 and chunk.startswith(codecs.BOM_UTF8):
            self.size = len(codecs.BOM_UTF8)
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        if not self.utf8_error:
            self._check_utf8(chunk)
        if not self.csv_error:
            self._check_lines(chunk)
        self.size += len(chunk)
        self.is_too_large |= self.size > self.max_bytes
        self.is_blank = self.is_blank and not chunk.strip(_BLANK)
        if not self.has_header:
            self._collect_header(chunk)

    def header(self) -> list[str]:
        """Return the fields of the first line that is not blank; an empty list if it is too long or no CSV record."""
        is_too_long = len(self._header) > self._max_header_bytes
        return [] if is_too_long else csv_line.fields(self._header.decode()) or []

    def result(self, kind: Kind, *, is_gzip: bool) -> Validation:
        """Return the verdict of highest precedence (docs/design.md, section 3), or NOT_CSV if gzip data is damaged."""
        required = REQUIRED_COLUMNS[kind]
        if not self.utf8_error:
            self._check_utf8(b"", final=True)
        if self.gzip_error:
            return Validation(Verdict.NOT_CSV, self.gzip_error)
        if self.is_too_large:
            detail = f"the file is larger than {self.max_bytes:,} bytes uncompressed, or too large as stored"
            return Validation(Verdict.TOO_LARGE, detail)
        if self.is_blank:
            return Validation(Verdict.EMPTY_FILE, "the file contains only blank lines")
        if self.utf8_error:
            return Validation(Verdict.NOT_UTF8, self.utf8_error)
        if self.csv_error:
            return Validation(Verdict.NOT_CSV, self.csv_error)
        header = self.header()
        if kind is Kind.STREAMS and len(header) > MAX_COLUMNS:
            return Validation(Verdict.NOT_CSV, f"the header row has {len(header):,} columns, more than {MAX_COLUMNS:,}")
        if duplicates := _duplicate_columns(header, required):
            return Validation(Verdict.NOT_CSV, f"the header row has duplicate columns: {duplicates}")
        missing = [name for name in required if name not in header]
        if missing:
            return Validation(Verdict.MISSING_COLUMNS, f"the header row lacks: {', '.join(missing)}")
        return Validation(None, header=header, is_gzip=is_gzip)

    def _check_utf8(self, chunk: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self.utf8_error = f"the bytes near position {self.size + error.start} are not UTF-8"

    def _check_lines(self, chunk: bytes) -> None:
        if (position := chunk.find(b"\0")) >= 0:
            self.csv_error = f"there is a NUL byte at position {self.size + position}"
            return
        if not self._limits_lines:
            return
        line_start = -self._line_bytes
        while len(chunk) - line_start > MAX_LINE_BYTES:
            # A line terminator in the next 64 KiB proves that no line there is too long: continue after the last one.
            end = line_start + MAX_LINE_BYTES + 1
            last = max(chunk.rfind(mark, max(line_start, 0), end) for mark in _LINE_ENDS)
            if last < 0:
                self.csv_error = f"the line that starts at position {self.size + line_start} is longer than 64 KiB"
                return
            line_start = last + 1
        last = max(chunk.rfind(mark, max(line_start, 0)) for mark in _LINE_ENDS)
        self._line_bytes = len(chunk) - (last + 1 if last >= 0 else line_start)

    def _collect_header(self, chunk: bytes) -> None:
        """Collect the first line that is not blank, without searching the collected bytes again."""
        content = None if self._header_has_content else _NON_BLANK.search(chunk)
        start = 0
        if not self._header_has_content:
            start = 1 + max(chunk.rfind(mark, 0, content.start() if content else None) for mark in _LINE_ENDS)
            self._header_has_content = content is not None
        if start:  # the lines before were blank
            self._header.clear()
        ends = [end for mark in _LINE_ENDS if (end := chunk.find(mark, content.start() if content else start)) >= 0]
        self._header += chunk[start : min(ends, default=start + self._max_header_bytes + 1)]
        del self._header[self._max_header_bytes + 1 :]  # A blank line may be longer, and is not the header.
        is_complete = bool(ends) or len(self._header) > self._max_header_bytes
        self.has_header = self._header_has_content and is_complete


def _detect_gzip(chunks: Iterable[bytes]) -> tuple[Iterator[bytes], bool]:
    """Return the same bytes, and whether they are gzip."""
    chunks = _with_full_first_chunk(iter(chunks))
    first = next(chunks, b"")
    return itertools.chain([first], chunks), first.startswith(GZIP_MAGIC)


def _with_full_first_chunk(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes; the first chunk is long enough to contain a byte order mark or gzip's magic bytes."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(codecs.BOM_UTF8):
            break
    yield first
    yield from chunks


class _StoredTooLargeError(Exception):
    """There are more stored bytes than the largest accepted file can have."""


class _FileTimeoutError(Exception):
    """The file was not read within its share of the time."""


def _limit_bytes(chunks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Yield the chunks; raise if they have more bytes: gzip can have any number that decompress to nothing."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise _StoredTooLargeError
        yield chunk


def _until_timeout(chunks: Iterable[bytes], has_time: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the chunks; raise _FileTimeoutError when no time is left."""
    for chunk in chunks:
        if not has_time():
            raise _FileTimeoutError
        yield chunk
