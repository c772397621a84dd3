"""Find the lines of users in a file, and remove them: bytes in, bytes out, in bounded memory.

The first pass finds the lines, the second yields all others. There may be millions, so no list of them is kept: both
passes classify each line in the same way. Only a line longer than any line of a valid file comes in parts. Whether
it is removed is decided after its last part, so the first pass records its index among the long lines.
"""

import codecs
import itertools
import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from music_streams.validation import csv_line
from music_streams.validation.file_verdicts import MAX_LINE_BYTES

GREATEST_USER_ID = 2**63 - 1
_BOM = codecs.BOM_UTF8
_CHUNK_BYTES = 64 * 1024  # a line of one byte takes a hundred bytes of memory while it is classified
_OVERLAP = 64  # bytes; longer than an id, which may span two parts of a line

Piece = tuple[list[bytes], int | None]
"""Complete lines with their line ends, and None; or a part of a long line, and its index among the long lines."""


@dataclass(frozen=True)
class FoundLines:
    """The result of the first pass: the number of lines to remove, and the indexes of the long lines among them."""

    lines: int
    long_lines: frozenset[int]


class UserLines:
    """Removes the lines of users from a file.

    A record with as many fields as the header is removed if its user_id field contains the id of a user, and kept if
    the header has no user_id. Any other line, and any line without a known header, is removed if it contains the id at
    all. A text contains an id if the id's digits, with or without leading zeros, are surrounded by characters that are
    neither letters nor digits.
    """

    def __init__(self, user_ids: Iterable[int], header: list[str]) -> None:
        """`header`: the column names of a valid file, [] for any other.

        Raises:
            TypeError: an id is not an int: a text could contain a pattern that matches other users' lines.
            ValueError: there is no id, or one that no user can have.
        """
        ids = "|".join(re.escape(str(_checked(user_id))) for user_id in user_ids)
        if not ids:
            raise ValueError("no user_id is given: every line would be removed")
        self._id = re.compile(rf"(?<![0-9A-Za-z])0*(?:{ids})(?![0-9A-Za-z])".encode())
        self._columns = len(header)
        self._user_id_at = header.index("user_id") if "user_id" in header else None

    def find(self, chunks: Iterable[bytes]) -> FoundLines:
        """Run the first pass: find the lines to remove."""
        lines, long_lines = 0, set()
        for number, pieces in itertools.groupby(_pieces(chunks), key=operator.itemgetter(1)):
            if number is None:
                lines += sum(self._matches(line) for part, _ in pieces if self._is_in_any(part) for line in part)
            elif self._is_in_parts(part for [part], _ in pieces):
                long_lines.add(number)
        return FoundLines(lines + len(long_lines), frozenset(long_lines))

    def without(self, to_remove: FoundLines, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Run the second pass over the same file: yield the bytes of all other lines."""
        for lines, number in _pieces(chunks):
            if number is None:
                is_clean = not self._is_in_any(lines)
                yield b"".join(lines if is_clean else (line for line in lines if not self._matches(line)))
            elif number not in to_remove.long_lines:
                yield from lines

    def _is_in_any(self, lines: list[bytes]) -> bool:
        """Return whether any of the lines contains an id, with one search for all of them."""
        return bool(self._id.search(b"".join(lines)))

    def _matches(self, line: bytes) -> bool:
        if not self._id.search(line):
            return False
        if not self._columns:
            return True
        fields = csv_line.fields(line.decode().rstrip("\r\n"))
        if fields is None or len(fields) != self._columns:
            return True
        return self._user_id_at is not None and bool(self._id.search(fields[self._user_id_at].encode()))

    def _is_in_parts(self, parts: Iterable[bytes]) -> bool:
        """Return whether a line in parts contains an id, which may span two of them."""
        tail, is_at_end = b"", False
        for part in parts:
            window = tail + part
            match = self._id.search(window, bool(tail))  # the first byte is only the context of the second
            if match and match.end() < len(window):
                return True
            is_at_end = match is not None  # the next byte decides
            tail = window[-_OVERLAP:]
        return is_at_end


def _checked(user_id: int) -> int:
    if type(user_id) is not int:
        raise TypeError(f"a user_id is an int, not {type(user_id).__name__}")
    if not 1 <= user_id <= GREATEST_USER_ID:
        raise ValueError(f"a user_id is a number from 1 to {GREATEST_USER_ID}")
    return user_id


def _pieces(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Yield the bytes in their order; a byte order mark is a line of its own."""
    even = _evenly(chunks)
    first = next(even, b"")
    if first.startswith(_BOM):
        yield [_BOM], None
    rest, long_lines, is_in_long = b"", 0, False
    for chunk in itertools.chain([first.removeprefix(_BOM)], even):
        lines = (rest + chunk).splitlines(keepends=True)
        # The last line may continue, and after a CR the next chunk may begin with its LF.
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if is_in_long and lines:
            yield [lines.pop(0)], long_lines
            long_lines, is_in_long = long_lines + 1, False
        if lines:
            yield lines, None
        if is_in_long or len(rest) > MAX_LINE_BYTES:
            yield [rest[:-1]], long_lines
            rest, is_in_long = rest[-1:], True
    if rest:
        yield [rest], long_lines if is_in_long else None


def _evenly(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes, always split at the same positions, so that both passes number long lines equally."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        while len(data) >= _CHUNK_BYTES:
            yield bytes(data[:_CHUNK_BYTES])
            del data[:_CHUNK_BYTES]
    if data:
        yield bytes(data)
