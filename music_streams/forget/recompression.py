"""Decode a stored file to plain bytes, and encode plain bytes in its format: gzip stays gzip, UTF-16 stays UTF-16."""

import codecs
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator

from music_streams.validation.file_verdicts import GZIP_MAGIC
from music_streams.validation.gunzip import MAX_MEMBERS, WBITS, gunzip

_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
Watch = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Passes chunks through, and may raise to stop."""

_LONGEST_MARK = 2  # bytes: of gzip and of UTF-16 alike


class Unpacked:
    """The plain bytes of a stored file, in chunks of bounded size. UTF-16 with a byte order mark becomes UTF-8.

    Args of the constructor: `max_members`, above which a gzip file raises TooManyMembers; `watched`, which the
    uncompressed bytes pass through.

    Attributes:
        is_damaged: after the iteration: whether the file is damaged gzip, of which only the first part was readable.
    """

    def __init__(self, stored: Iterable[bytes], *, max_members: int = MAX_MEMBERS, watched: Watch = iter) -> None:
        self._stored = iter(stored)
        self._max_members = max_members
        self._watched = watched
        self._is_gzip = False
        self._encoding = ""
        self.is_damaged = False

    def __iter__(self) -> Iterator[bytes]:
        mark, chunks = _begin(self._stored)
        self._is_gzip = mark.startswith(GZIP_MAGIC)
        mark, chunks = _begin(self._watched(self._unzipped(chunks) if self._is_gzip else chunks))
        self._encoding = _WIDE.get(mark[:_LONGEST_MARK], "")
        yield from _recoded(chunks, self._encoding, "utf-8") if self._encoding else chunks

    def pack(self, plain: Iterator[bytes]) -> Iterator[bytes]:
        """Encode other plain bytes in the format of the file, which the iteration has detected."""
        encoded = _recoded(plain, "utf-8", self._encoding) if self._encoding else plain
        return _zipped(encoded) if self._is_gzip else encoded

    def _unzipped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from gunzip(chunks, self._max_members)
        except zlib.error:
            self.is_damaged = True


def _zipped(plain: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.compressobj(wbits=WBITS)
    for chunk in plain:
        yield member.compress(chunk)
    yield member.flush()


def _recoded(chunks: Iterator[bytes], encoding: str, other: str) -> Iterator[bytes]:
    """Recode text; an incomplete character at its end is dropped."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(other, "surrogatepass")


def _begin(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough to detect a mark, and all chunks."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= _LONGEST_MARK:
            break
    return first, itertools.chain([first], chunks)
