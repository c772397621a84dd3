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

_BLANK = "".join(map(chr, range(1, 33)))  # space, tab and the other control characters
_GZIP_MAGIC = b"\x1f\x8b"
_LINE_END = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 64 * 1024  # bytes, without its end

_QUOTED = r'"(?:[^"]|"")*+"'
_STRICT_FIELD = rf'(?:{_QUOTED}|[^",\r\n]*)'
_STRICT_RECORD = re.compile(rf"{_STRICT_FIELD}(?:,{_STRICT_FIELD})*")
_NEXT_FIELD = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*+)"|([^",]*))')
# A record of a reference file ends at the first line end outside quotes, whether it is well formed or not.
_LOOSE_FIELD = rf"(?:{_QUOTED}[^,\r\n]*|[^,\r\n]*)"
_LOOSE_RECORD = re.compile(rf"{_LOOSE_FIELD}(?:,{_LOOSE_FIELD})*")


class FileQuarantinedError(Exception):
    """The file is quarantined; the message is the verdict."""


@dataclass(frozen=True)
class Table:
    header: list[str]
    records: list[Record]


def read_streams(content: bytes) -> Table:
    """Parse one record a line. Raises FileQuarantinedError with a verdict, except bad_key and too_large."""
    text = _text(content)
    lines = _LINE_END.split(text)
    if any(len(line.encode()) > _LONGEST_LINE for line in lines):
        raise FileQuarantinedError("not_csv")
    return _table(lines, STREAM_COLUMNS)


def read_songs(content: bytes) -> Table:
    return _table(_LOOSE_RECORD.findall(_text(content)), SONG_COLUMNS)


def read_users(content: bytes) -> Table:
    return _table(_LOOSE_RECORD.findall(_text(content)), USER_COLUMNS)


def _text(content: bytes) -> str:
    """Decode without the byte order mark. The order of the checks is the contract's order of the verdicts."""
    if content.startswith(_GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FileQuarantinedError("not_csv") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip(_BLANK.encode()):
        raise FileQuarantinedError("empty_file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileQuarantinedError("not_utf8") from error
    if "\0" in text:
        raise FileQuarantinedError("not_csv")
    return text


def _table(texts: list[str], columns: tuple[str, ...]) -> Table:
    header, *records = [_fields(text) for text in texts if text.strip(_BLANK)]
    header = header or []
    if len(set(header)) < len(header):
        raise FileQuarantinedError("not_csv")
    if not set(columns) <= set(header):
        raise FileQuarantinedError("missing_columns")
    return Table(header, records)


def _fields(text: str) -> Record:
    if '"' not in text:
        return text.split(",")
    if not _STRICT_RECORD.fullmatch(text):
        return None
    return [quoted.replace('""', '"') + plain for quoted, plain in _NEXT_FIELD.findall(text)]
