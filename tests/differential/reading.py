"""A second implementation of the data contract (docs/design.md, section 3): slow, obvious, whole files in memory.

It shares no code with the product. Where the contract is not explicit, it reads it like this:

* a blank line contains only U+0001 … U+0020; only LF, CRLF and CR end a line;
* a header that is no RFC 4180 record names no column: missing_columns;
* a damaged gzip file is not_csv, or too_large if too many bytes precede the damage;
* the year is checked as written, before the zone is applied; digits are ASCII digits.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction

COLUMNS = {
    "incoming/": ("user_id", "track_id", "listen_time"),
    "reference/songs/": ("track_id", "track_name", "artists", "duration_ms", "track_genre"),
    "reference/users/": ("user_id", "user_country"),
}
VERDICTS = ("bad_key", "empty_file", "too_large", "not_utf8", "not_csv", "missing_columns", "too_many_bad_rows")
MALFORMED = (
    *("malformed_row", "missing_user_id", "bad_user_id", "missing_track_id", "bad_track_id", "missing_listen_time"),
    *("bad_listen_time", "future_listen_time"),
)
REASONS = (*MALFORMED, "duplicate", "unknown_track")
SONG_REASONS = (
    *("malformed_row", "missing_track_id", "bad_track_id", "missing_duration", "bad_duration", "missing_genre"),
    "too_long",
)
USER_REASONS = ("malformed_row", "missing_user_id", "bad_user_id", "missing_country", "too_long")

BOM = b"\xef\xbb\xbf"
SECOND = 1_000_000  # in microseconds, as are all instants here
DAY = 24 * 60 * 60 * SECOND
_LISTEN_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?", re.ASCII
)

Event = tuple[int, str, int]
"""user_id, track_id, instant in microseconds since 1970-01-01T00:00Z."""


@dataclass(frozen=True)
class DirtyFile:
    """An object version that arrives, and the settings for its validation."""

    key: str
    content: bytes = field(repr=False)
    arrival: str = "2024-06-25T10:00:00.123Z"
    max_bytes: int = 1024**3
    max_rejected_ratio: str = "0.20"


@dataclass(frozen=True)
class Row:
    """A row of a streams file.

    Attributes:
        event: None if the row is malformed.
    """

    raw: str
    reason: str | None
    event: Event | None = None


@dataclass(frozen=True)
class FileReading:
    """The expected result of validate.

    Attributes:
        also: other verdicts that the contract allows.
    """

    verdict: str | None
    header: tuple[str, ...] = ()
    is_gzip: bool = False
    also: tuple[str, ...] = ()

    def allows(self, other: "FileReading") -> bool:
        """Return whether the other result is this one or also allowed."""
        return other.verdict in self.also or self == replace(other, also=self.also)


@dataclass(frozen=True)
class RowsReading:
    """The expected result of the transform for a valid file.

    Attributes:
        counts: rows by reason and, if that is None, day.
    """

    rows: tuple[Row, ...]
    counts: dict[tuple[str | None, str | None], int]
    verdict: str | None
    rows_read: int
    rows_accepted: int


def read_file(file: DirtyFile) -> FileReading:
    """Return the first verdict that applies, or None."""
    if file.key[-4:].lower() != ".csv" and file.key[-7:].lower() != ".csv.gz":
        return FileReading("bad_key")
    data, is_damaged = uncompressed(file.content)
    is_large = len(data) > file.max_bytes
    if is_damaged:
        return FileReading("not_csv", also=("too_large",) if is_large else ())
    if is_large:
        return FileReading("too_large")
    lines = lines_of(data)
    written = [line for line in lines if not is_blank(line)]
    if not written:
        return FileReading("empty_file")
    if not is_utf8(data):
        return FileReading("not_utf8")
    is_streams = file.key.startswith("incoming/")
    if b"\0" in data or (is_streams and any(len(line) > 64 * 1024 for line in lines)):
        return FileReading("not_csv")
    header = record(written[0].decode()) or []
    if len(written[0]) > 1024 * 1024:  # of a reference file
        header = []
    if len(set(header)) < len(header) or (is_streams and len(header) > 1_000):
        return FileReading("not_csv")
    required = next(columns for prefix, columns in COLUMNS.items() if file.key.startswith(prefix))
    if not set(required) <= set(header):
        return FileReading("missing_columns")
    return FileReading(None, tuple(header), is_gzip(file.content))


def read_rows(file: DirtyFile, known_tracks: set[str]) -> RowsReading:
    """Return the rows of a valid streams file, with counts and verdict."""
    header_line, *lines = [line.decode() for line in lines_of(uncompressed(file.content)[0]) if not is_blank(line)]
    header = record(header_line)
    assert header is not None
    latest = micros(datetime.fromisoformat(file.arrival)) + DAY
    rows: list[Row] = []
    seen: set[Event] = set()
    for line in lines:
        reason, event = read_row(line, header, latest)
        if event is not None:
            if event in seen:
                reason = "duplicate"
            elif event[1] not in known_tracks:
                reason = "unknown_track"
            seen.add(event)
        rows.append(Row(line, reason, event))

    counts = Counter((row.reason, None if row.reason or not row.event else day_of(row.event[2])) for row in rows)
    malformed = sum(row.reason in MALFORMED for row in rows)
    has_too_many_bad_rows = bool(rows) and Fraction(malformed, len(rows)) > Fraction(file.max_rejected_ratio)
    accepted = 0 if has_too_many_bad_rows else sum(row.reason is None for row in rows)
    return RowsReading(
        tuple(rows), dict(counts), "too_many_bad_rows" if has_too_many_bad_rows else None, len(rows), accepted
    )


def read_row(line: str, header: list[str], latest: int) -> tuple[str | None, Event | None]:
    """Return the first reason that applies to the row alone, or its event."""
    fields = record(line)
    if fields is None or len(fields) != len(header):
        return "malformed_row", None
    by_name = dict(zip(header, fields, strict=True))
    user, track, time = by_name["user_id"], by_name["track_id"], by_name["listen_time"]
    if user == "":
        return "missing_user_id", None
    if not re.fullmatch("[0-9]{1,19}", user) or not 1 <= int(user) <= 2**63 - 1:
        return "bad_user_id", None
    if track == "":
        return "missing_track_id", None
    if not re.fullmatch("[0-9A-Za-z]{22}", track):
        return "bad_track_id", None
    if time == "":
        return "missing_listen_time", None
    instant = read_time(time)
    if instant is None:
        return "bad_listen_time", None
    if instant > latest:
        return "future_listen_time", None
    return None, (int(user), track, instant)


def read_reference_rows(file: DirtyFile) -> tuple[list[tuple[object, ...]], Counter[str]]:
    """Return the accepted rows of a valid songs or users file, sorted, and the number of the others by reason."""
    text = uncompressed(file.content)[0].removeprefix(BOM).decode()
    texts = records_of(text)
    header = record(next(texts) or "") or []
    accepted: list[tuple[object, ...]] = []
    rejected: Counter[str] = Counter()
    read = read_song if file.key.startswith("reference/songs/") else read_user
    for each in texts:
        fields = None if each is None else record(each)
        if fields is None or len(fields) != len(header):
            rejected["malformed_row"] += 1
            continue
        row = read(dict(zip(header, fields, strict=True)))
        if isinstance(row, str):
            rejected[row] += 1
        else:
            accepted.append(row)
    return sorted(accepted, key=repr), rejected


def read_song(row: dict[str, str]) -> tuple[object, ...] | str:
    """Return the values of a song, or the first reason that applies."""
    track, duration, genre = row["track_id"], row["duration_ms"], row["track_genre"]
    number = int(duration) if re.fullmatch("[0-9]+", duration) else 0
    reasons = {
        "missing_track_id": track == "",
        "bad_track_id": not re.fullmatch("[0-9A-Za-z]{22}", track),
        "missing_duration": duration == "",
        "bad_duration": not 1 <= number <= 2**31 - 1,
        "missing_genre": genre == "",
        "too_long": len(genre.encode()) > 1_000 or len((row["track_name"] + row["artists"]).encode()) > 20_000,
    }
    number_of_row = row.get("id", "")
    row_id = number_of_row.lstrip("0") if re.fullmatch("[0-9]+", number_of_row) else None
    found = [reason for reason, applies in reasons.items() if applies]
    return found[0] if found else (row_id, track, row["track_name"], row["artists"], number, genre)


def read_user(row: dict[str, str]) -> tuple[object, ...] | str:
    """Return the values of a user, or the first reason that applies."""
    user, country = row["user_id"], row["user_country"]
    is_user = re.fullmatch("[0-9]{1,19}", user) and 1 <= int(user) <= 2**63 - 1
    reasons = {
        "missing_user_id": user == "",
        "bad_user_id": not is_user,
        "missing_country": country == "",
        "too_long": len(country.encode()) > 1_000,
    }
    found = [reason for reason, applies in reasons.items() if applies]
    return found[0] if found else (int(user), country)


def records_of(text: str) -> Iterator[str | None]:
    """Yield the header line of a reference file, then each record that is not blank; None if its quotes are broken.

    Such a record ends at its first line end.
    """
    at = 0
    is_header = True
    while at < len(text):
        first_end = min((end for end in (text.find("\n", at), text.find("\r", at)) if end >= 0), default=len(text))
        end = first_end if is_header else end_of_record(text, at)
        is_broken = end is None or len(text[at:end].encode()) > 1024 * 1024
        stop = first_end if is_broken or end is None else end
        if not is_blank(text[at:stop].encode()):
            yield None if is_broken else text[at:stop]
            is_header = False
        at = stop + (2 if text[stop : stop + 2] == "\r\n" else 1)


def end_of_record(text: str, at: int) -> int | None:
    """Return where the record that begins at a position ends; None if its quotes are broken."""
    while True:
        if text[at : at + 1] == '"':
            at = text.find('"', at + 1)
            while text[at : at + 2] == '""' and at >= 0:
                at = text.find('"', at + 2)
            if at < 0:
                return None
            at += 1
        else:
            while at < len(text) and text[at] not in ',\r\n"':
                at += 1
        if at == len(text) or text[at] in "\r\n":
            return at
        if text[at] != ",":
            return None
        at += 1


def read_time(text: str) -> int | None:
    """Return the instant of a listen_time."""
    match = _LISTEN_TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(digits) for digits in match.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = match.groups()[6:]
    try:
        days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    if year < 1970 or hour > 23 or minute > 59 or second > 59:
        return None
    zone = 0
    if sign:
        zone = int(zone_hours) * 60 + int(zone_minutes)
        if int(zone_minutes) > 59 or zone > 18 * 60:
            return None
        zone = -zone if sign == "-" else zone
    seconds = hour * 3600 + minute * 60 + second - zone * 60
    return days * DAY + seconds * SECOND + int(((fraction or "") + "000000")[:6])


def record(line: str) -> list[str] | None:
    """Return the fields of a line, or None if it is no RFC 4180 record."""
    fields = []
    at = 0
    while True:
        text = ""
        if line[at : at + 1] == '"':
            at += 1
            while line[at : at + 1] != '"' or line[at : at + 2] == '""':
                if at >= len(line):
                    return None  # the quote is never closed
                text += line[at]
                at += 2 if line[at] == '"' else 1
            at += 1
        else:
            while at < len(line) and line[at] != ",":
                if line[at] == '"':
                    return None
                text += line[at]
                at += 1
        fields.append(text)
        if at == len(line):
            return fields
        if line[at] != ",":
            return None  # a character follows the closing quote
        at += 1


def lines_of(data: bytes) -> list[bytes]:
    """Split data into lines without their ends and without a byte order mark."""
    return data.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def is_blank(line: bytes) -> bool:
    return all(1 <= byte <= 0x20 for byte in line)


def is_gzip(content: bytes) -> bool:
    return content[:2] == b"\x1f\x8b"


def uncompressed(content: bytes) -> tuple[bytes, bool]:
    """Return the uncompressed bytes, and whether a gzip file is anything but complete members (RFC 1952)."""
    if not is_gzip(content):
        return content, False
    data = b""
    rest = content
    while rest:
        member = zlib.decompressobj(wbits=31)
        for at in range(len(rest)):
            try:
                data += member.decompress(rest[at : at + 1])
            except zlib.error:
                return data, True
            if member.eof:
                rest = rest[at + 1 :]
                break
        else:
            return data, True
    return data, False


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def micros(instant: datetime) -> int:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def day_of(instant: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + instant // DAY).isoformat()
