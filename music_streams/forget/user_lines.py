"""The lines of a file that tell of users, and the file without them: bytes in, bytes out, in bounded memory.

Two looks: the first finds the lines, the second gives what is left. A file may hold millions, so no list of them is
kept; both looks judge each line alike. Only a line that is longer than any line of a valid file passes in parts, and
whether it goes is known at its end: the first look notes it by its number.
"""

import codecs
import itertools
import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from music_streams.validation import csv_line
from music_streams.validation.verdicts import MAX_LINE_BYTES

GREATEST_USER_ID = 2**63 - 1
_BOM = codecs.BOM_UTF8
_CHUNK_BYTES = 64 * 1024  # lines of a byte take the memory of a hundred while they are looked at
_OVERLAP = 64  # bytes, more than an id has: what two parts of a line are searched for together

Piece = tuple[list[bytes], int | None]
"""Whole lines with their ends, and None; or a part of a long line, and which of the long lines it is."""


@dataclass(frozen=True)
class FoundLines:
    """What the first look found.

    Attributes:
        lines: how many lines are to go.
        long_lines: those among the long ones, by number.
    """

    lines: int
    long_lines: frozenset[int]


class UserLines:
    """Tells which lines of a file go.

    A record with as many fields as the header goes where its user_id field holds the id of a user; any other line,
    and any line where no header is known, goes where it holds the id at all. An id is held where its digits, with
    leading zeros or without, stand between characters that are neither letters nor digits.
    """

    def __init__(self, user_ids: Iterable[int], header: list[str]) -> None:
        """`header`: the column names of a valid file, [] of any other.

        Raises:
            TypeError: an id is no int: a text could hold a pattern that matches the lines of others.
            ValueError: there is no id, or one that no user has.
        """
        ids = "|".join(re.escape(str(_checked(user_id))) for user_id in user_ids)
        if not ids:
            raise ValueError("no user is named: every line would go")
        self._id = re.compile(rf"(?<![0-9A-Za-z])0*(?:{ids})(?![0-9A-Za-z])".encode())
        self._columns = len(header)
        self._user_id_at = header.index("user_id") if "user_id" in header else None

    def find(self, chunks: Iterable[bytes]) -> FoundLines:
        """The first look."""
        lines, long_lines = 0, set()
        for number, pieces in itertools.groupby(_pieces(chunks), key=operator.itemgetter(1)):
            if number is None:
                lines += sum(self._goes(line) for whole, _ in pieces if self._is_among(whole) for line in whole)
            elif self._is_held_in(part for [part], _ in pieces):
                long_lines.add(number)
        return FoundLines(lines + len(long_lines), frozenset(long_lines))

    def without(self, found: FoundLines, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The second look: the bytes of all other lines, of the same file."""
        for lines, number in _pieces(chunks):
            if number is None:
                are_clean = not self._is_among(lines)
                yield b"".join(lines if are_clean else (line for line in lines if not self._goes(line)))
            elif number not in found.long_lines:
                yield from lines

    def _is_among(self, lines: list[bytes]) -> bool:
        """Whether a line of these holds an id: none is looked at alone where all together hold none."""
        return bool(self._id.search(b"".join(lines)))

    def _goes(self, line: bytes) -> bool:
        if not self._id.search(line):
            return False
        if not self._columns:
            return True
        fields = csv_line.fields(line.decode().rstrip("\r\n"))
        if fields is None or len(fields) != self._columns:
            return True
        return self._user_id_at is not None and bool(self._id.search(fields[self._user_id_at].encode()))

    def _is_held_in(self, parts: Iterable[bytes]) -> bool:
        """Whether a line that comes in parts holds an id, which may lie across two of them."""
        tail, is_at_end = b"", False
        for part in parts:
            window = tail + part
            found = self._id.search(window, bool(tail))  # the first byte only tells what stands before the second
            if found and found.end() < len(window):
                return True
            is_at_end = found is not None  # what follows it decides
            tail = window[-_OVERLAP:]
        return is_at_end


def _checked(user_id: int) -> int:
    if type(user_id) is not int:
        raise TypeError(f"a user_id is an int, not {type(user_id).__name__}")
    if not 1 <= user_id <= GREATEST_USER_ID:
        raise ValueError(f"a user_id is a number from 1 to {GREATEST_USER_ID}")
    return user_id


def _pieces(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """The bytes in the order in which they came; a byte order mark is a line of its own."""
    even = _evenly(chunks)
    first = next(even, b"")
    if first.startswith(_BOM):
        yield [_BOM], None
    rest, long_lines, is_in_long = b"", 0, False
    for chunk in itertools.chain([first.removeprefix(_BOM)], even):
        lines = (rest + chunk).splitlines(keepends=True)
        # The last line may go on; where it ends in CR, a LF may belong to it.
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
    """The same bytes, always parted at the same positions: so both looks number the long lines alike."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        while len(data) >= _CHUNK_BYTES:
            yield bytes(data[:_CHUNK_BYTES])
            del data[:_CHUNK_BYTES]
    if data:
        yield bytes(data)
