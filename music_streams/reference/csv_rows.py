"""The rows of a reference file, read in bounded memory as docs/design.md, section 3, CSV, defines them.

Lines without a quote, which are nearly all, are split into fields by Arrow, which then needs to know no quotes; records
with quotes, which may continue over lines, by a regular expression.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa
from pyarrow import csv

from music_streams.validation import csv_line
from music_streams.validation.file_verdicts import MAX_RECORD_BYTES

BLOCK_BYTES = 4 * 1024 * 1024
_BLANK = csv_line.BLANK.encode()
_BOM = b"\xef\xbb\xbf"
_FIELD = rb'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")
_NEXT_FIELD = re.compile(rb'(?:^|,)(?:"((?:[^"]|"")*+)"|([^",]*+))')
_TOO_LONG = (
    b'""too long\n'  # takes the place of a line over the limit; its text beside a closed quote makes it malformed
)


@dataclass(frozen=True)
class Rows:
    """Rows of a file.

    Attributes:
        table: the requested columns as text.
        malformed: the number of further records: not RFC 4180, another number of fields than the header, or too long.
    """

    table: pa.Table
    malformed: int


def read_rows(chunks: Iterable[bytes], columns: Sequence[str]) -> Iterator[Rows]:
    """Yield the rows of a file in parts of some MiB, in no particular order.

    Args:
        chunks: the uncompressed bytes of a file that validation accepted.
        columns: the names of the requested columns; a column that the file does not have is ''.
    """
    header: _Header | None = None
    records = _Records()
    for lines in _blocks(chunks):
        if header is None:
            header = _Header(csv_line.fields(_without_end(lines.pop(0)).decode()) or [], columns)
        yield header.rows(records.split(lines))
    if header is not None:
        yield header.rows(records.end())


@dataclass(frozen=True)
class _Split:
    """Records of a file, in two forms: lines without quotes, and the fields of those with quotes."""

    lines: list[bytes] = field(default_factory=list)
    fields: list[list[bytes]] = field(default_factory=list)
    malformed: int = 0


class _Records:
    """Splits lines into records. Between blocks it keeps the lines of a record that may continue in the next one."""

    def __init__(self) -> None:
        self._open: list[bytes] = []

    def split(self, lines: list[bytes], *, is_last: bool = False) -> _Split:
        """Return the records that end in the lines; blank lines are no records.

        A line break is in a quoted field if the quotes before it are odd in number. A record whose quotes are broken
        ends at its first line end, so that they cannot swallow the rows behind it.
        """
        lines = self._open + lines
        self._open = []
        plain: list[bytes] = []
        fields: list[list[bytes]] = []
        malformed = start = 0
        with_quotes = [number for number, line in enumerate(lines) if b'"' in line]
        for position, first in enumerate(with_quotes):
            if first < start:  # within the record before it
                continue
            plain += lines[start:first]
            end = self._end(lines, with_quotes, position)
            if end is None and not is_last and sum(map(len, lines[first:])) <= MAX_RECORD_BYTES + 2:
                self._open = lines[first:]
                start = len(lines)
                break
            record = None if end is None else _fields(lines[first:end])
            if record is None:
                malformed += 1
                start = first + 1
            else:
                fields.append(record)
                start = end or 0
        plain += lines[start:]
        return _Split([line for line in plain if line.strip(_BLANK)], fields, malformed)

    def end(self) -> _Split:
        """Return the records of a file that ends within a record."""
        return self.split([], is_last=True)

    @staticmethod
    def _end(lines: list[bytes], with_quotes: list[int], position: int) -> int | None:
        """Return the number of the line after a record; None if its quotes stay open as far as it may reach."""
        first = with_quotes[position]
        if lines[first].count(b'"') % 2 == 0:
            return first + 1
        size, start = 0, first
        for number in map(with_quotes.__getitem__, range(position + 1, len(with_quotes))):
            size += sum(map(len, lines[start:number]))
            start = number
            if size > MAX_RECORD_BYTES + 2 or lines[number] is _TOO_LONG:
                return None
            if lines[number].count(b'"') % 2:
                return number + 1
        return None


def _fields(lines: list[bytes]) -> list[bytes] | None:
    text = _without_end(b"".join(lines))
    if len(text) > MAX_RECORD_BYTES or not _RECORD.fullmatch(text):
        return None
    return [quoted.replace(b'""', b'"') + plain for quoted, plain in _NEXT_FIELD.findall(text)]


class _Header:
    """The columns of a file."""

    def __init__(self, names: list[str], columns: Sequence[str]) -> None:
        self._width = len(names)
        self._columns = {name: names.index(name) if name in names else None for name in columns}
        # Generated names: those of the file may be anything.
        self._wanted = [f"f{position}" for position in self._columns.values() if position is not None]
        self._read = csv.ReadOptions(use_threads=False, column_names=[f"f{n}" for n in range(self._width)])
        self._parse = csv.ParseOptions(quote_char=False, invalid_row_handler=lambda _: "skip")
        self._convert = csv.ConvertOptions(
            check_utf8=False, include_columns=self._wanted, column_types=dict.fromkeys(self._wanted, pa.string())
        )

    def rows(self, split: _Split) -> Rows:
        tables = [self._table_of_lines(split.lines), self._table_of_fields(split.fields)]
        table = pa.concat_tables(tables)
        records = len(split.lines) + len(split.fields) + split.malformed
        return Rows(table, records - table.num_rows)

    def _table_of_lines(self, lines: list[bytes]) -> pa.Table:
        if not lines:
            return self._table_of_fields([])
        text = b"".join([b"\n", *lines])  # Arrow drops a byte order mark at the start of the text.
        self._read.block_size = len(text) + 1
        read = csv.read_csv(pa.BufferReader(text), self._read, self._parse, self._convert)
        return self._named({name: read[name] for name in self._wanted}, read.num_rows)

    def _table_of_fields(self, records: list[list[bytes]]) -> pa.Table:
        rows = [record for record in records if len(record) == self._width]
        positions = [position for position in self._columns.values() if position is not None]
        arrays = {f"f{at}": pa.array([row[at] for row in rows], pa.binary()).cast(pa.string()) for at in positions}
        return self._named(arrays, len(rows))

    def _named(self, arrays: dict[str, pa.Array], count: int) -> pa.Table:
        empty = pa.repeat(pa.scalar(""), count)
        return pa.table(
            {name: empty if at is None else arrays[f"f{at}"] for name, at in self._columns.items()},
        )


def _blocks(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines of a file with their ends, from the first that is not blank, some MiB at a time."""
    rest, is_begun, is_skipping, is_blank = b"", False, False, True
    for block in _in_blocks(chunks):
        text = rest + block
        lines = text.splitlines(keepends=True)
        # The last line may continue, and so may a line end: CR at the end of a block, LF at the start of the next.
        rest = lines.pop()
        if is_skipping:
            is_blank = is_blank and _is_blank(lines[0] if lines else rest)
        if is_skipping and lines:
            lines[0], is_skipping = _shortened(is_blank=is_blank), False
        lines = [line if _fits(line) else _shortened(is_blank=_is_blank(line)) for line in lines]
        if len(rest) > MAX_RECORD_BYTES + 2:
            is_blank = (is_blank or not is_skipping) and _is_blank(rest)
            rest, is_skipping = rest[-1:], True
        if not is_begun:
            lines = _from_header(lines)
            is_begun = bool(lines)
        if lines:
            yield lines
    if is_skipping or not _fits(rest):
        rest = _shortened(is_blank=(is_blank or not is_skipping) and _is_blank(rest))
    if rest and (lines := [rest] if is_begun else _from_header([rest])):
        yield lines


def _is_blank(text: bytes) -> bool:
    return not text.strip(_BLANK)


def _shortened(*, is_blank: bool) -> bytes:
    """Return what takes the place of a line over the limit; a blank one is still too long for a record around it."""
    return b" " * (MAX_RECORD_BYTES + 3) + b"\n" if is_blank else _TOO_LONG


def _fits(line: bytes) -> bool:
    return len(line) <= MAX_RECORD_BYTES or len(_without_end(line)) <= MAX_RECORD_BYTES


def _without_end(text: bytes) -> bytes:
    return text.removesuffix(b"\n").removesuffix(b"\r")


def _in_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes without a byte order mark, in blocks that are not empty."""
    blocks = _joined(chunks)
    first = next(blocks, b"").removeprefix(_BOM)
    yield from filter(None, chain([first], blocks))


def _joined(chunks: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size, least = 0, max(BLOCK_BYTES, len(_BOM))
    for chunk in chunks:
        block.append(chunk)
        size += len(chunk)
        if size >= least:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _from_header(lines: list[bytes]) -> list[bytes]:
    for number, line in enumerate(lines):
        if line.strip(_BLANK):
            return lines[number:]
    return []
