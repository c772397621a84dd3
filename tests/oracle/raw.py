"""Section 3, "CSV" and "File verdicts": parses the bytes of a file into its header and the fields of each record."""

import gzip
import re
import zlib
from dataclasses import dataclass

STREAM_COLUMNS = ("user_id", "track_id", "listen_time")
SONG_COLUMNS = ("track_id", "track_name", "artists", "duration_ms", "track_genre")
USER_COLUMNS = ("user_id", "user_country")

Record = list[str] | None
"""The fields of a record; None if the text is no RFC 4180 record."""

BLANK = "".join(map(chr, range(1, 33)))  # space, tab and the other control characters
_GZIP_MAGIC = b"\x1f\x8b"
_LINE_END = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 64 * 1024  # bytes, without its end

_QUOTED = r'"(?:[^"]|"")*+"'
_STRICT_FIELD = rf'(?:{_QUOTED}|[^",\r\n]*)'
_STRICT_RECORD = re.compile(rf"{_STRICT_FIELD}(?:,{_STRICT_FIELD})*+")
_MALFORMED = '"'  # stands for a record that is none
_NEXT_FIELD = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*+)"|([^",]*))')
_LONGEST_RECORD = 1024 * 1024  # bytes of a record of a reference file, without its end


class FileQuarantinedError(Exception):
    """The file is quarantined; the message is the verdict."""


@dataclass(frozen=True)
class Table:
    header: list[str]
    records: list[Record]


def read_streams(content: bytes) -> Table:
    """Parse one record a line. Raises FileQuarantinedError with a verdict, except bad_key and too_large."""
    text = _text(content)
    if any(len(line.encode()) > _LONGEST_LINE for line in _LINE_END.split(text)):
        raise FileQuarantinedError("not_csv")
    header, rows = _split_header(text)
    return _table(header, _LINE_END.split(rows), STREAM_COLUMNS)


def read_songs(content: bytes) -> Table:
    return _reference_table(content, SONG_COLUMNS)


def read_users(content: bytes) -> Table:
    return _reference_table(content, USER_COLUMNS)


def _reference_table(content: bytes, columns: tuple[str, ...]) -> Table:
    header, rows = _split_header(_text(content))
    if len(header.encode()) > _LONGEST_RECORD:
        raise FileQuarantinedError("missing_columns")
    return _table(header, reference_records(rows), columns)


def _split_header(text: str) -> tuple[str, str]:
    """Return the first line that is not blank, and what follows it."""
    line, rest = "", text
    while not line.strip(BLANK):
        line, rest = [*_LINE_END.split(rest, maxsplit=1), ""][:2]
    return line, rest


def reference_records(text: str, longest: int = _LONGEST_RECORD) -> list[str]:
    """Split a reference file into records: a quoted field may contain line ends, if it is closed and not too long."""
    records, start = [], 0
    while start < len(text):
        record = _STRICT_RECORD.match(text, start)
        assert record
        end = _LINE_END.match(text, record.end())
        is_record = (end or record.end() == len(text)) and len(record[0].encode()) <= longest
        if not is_record:
            end = _LINE_END.search(text, start)
            line = text[start : end.start() if end else len(text)]
            records.append(_MALFORMED if line.strip(BLANK) else "")
        else:
            records.append(record[0])
        start = end.end() if end else len(text)
    return records


def _text(content: bytes) -> str:
    """Decode without the byte order mark. The order of the checks is the contract's order of the verdicts."""
    if content.startswith(_GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FileQuarantinedError("not_csv") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip(BLANK.encode()):
        raise FileQuarantinedError("empty_file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileQuarantinedError("not_utf8") from error
    if "\0" in text:
        raise FileQuarantinedError("not_csv")
    return text


def _table(header_line: str, texts: list[str], columns: tuple[str, ...]) -> Table:
    header = fields(header_line) or []
    if len(set(header)) < len(header):
        raise FileQuarantinedError("not_csv")
    if not set(columns) <= set(header):
        raise FileQuarantinedError("missing_columns")
    return Table(header, [fields(text) for text in texts if text.strip(BLANK)])


def fields(text: str) -> Record:
    if '"' not in text:
        return text.split(",")
    if not _STRICT_RECORD.fullmatch(text):
        return None
    return [quoted.replace('""', '"') + plain for quoted, plain in _NEXT_FIELD.findall(text)]
