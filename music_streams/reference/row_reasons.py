"""Which rows of songs and users files are usable, and why others are not (docs/design.md, section 3)."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from music_streams.state.object_keys import Kind

COLUMNS = {
    Kind.SONGS: ("id", "track_id", "track_name", "artists", "duration_ms", "track_genre"),
    Kind.USERS: ("user_id", "user_country"),
}
SCHEMAS = {
    Kind.SONGS: pa.schema(
        [
            ("id", pa.string()),  # a number without leading zeros; null if it is not a number
            ("track_id", pa.string()),
            ("track_name", pa.string()),
            ("artists", pa.string()),
            ("duration_ms", pa.int64()),
            ("track_genre", pa.string()),
        ]
    ),
    Kind.USERS: pa.schema([("user_id", pa.int64()), ("user_country", pa.string())]),
}
"""The columns of accepted rows."""
MAX_KEY_BYTES = 1_000  # UTF-8 bytes of a genre or country: DynamoDB limits the index key that contains it to 1,024
MAX_NAME_BYTES = 20_000  # of a track's name and artists together: an item has three, and at most 400 KB
MALFORMED_ROW = "malformed_row"
_DIGITS = "^[0-9]+$"  # RE2's $ is the end of the text
_TRACK_ID = "^[0-9A-Za-z]{22}$"
_USER_ID = "^[0-9]{1,19}$"
_MAX_DURATION_MS = 2**31 - 1
_MAX_USER_ID = 2**63 - 1


@dataclass(frozen=True)
class Classified:
    """Rows of a file.

    Attributes:
        accepted: the usable rows, with the columns of SCHEMAS.
        rejected: the number of other rows by reason.
    """

    accepted: pa.Table
    rejected: Counter[str]


def classify(kind: Kind, table: pa.Table) -> Classified:
    """Separate the usable rows from the others, each of which counts for the first reason that applies.

    Args:
        kind: songs or users.
        table: the columns COLUMNS of the kind as text, '' if empty.
    """
    if kind is Kind.SONGS:
        return _songs(table)
    return _users(table)


def _songs(table: pa.Table) -> Classified:
    duration, is_duration = _number(table["duration_ms"], _DIGITS, _MAX_DURATION_MS)
    name_bytes = pc.add(pc.binary_length(table["track_name"]), pc.binary_length(table["artists"]))
    is_too_long = pc.or_(
        pc.greater(pc.binary_length(table["track_genre"]), MAX_KEY_BYTES), pc.greater(name_bytes, MAX_NAME_BYTES)
    )
    reasons = {
        "missing_track_id": pc.equal(table["track_id"], ""),
        "bad_track_id": pc.invert(pc.match_substring_regex(table["track_id"], _TRACK_ID)),
        "missing_duration": pc.equal(table["duration_ms"], ""),
        "bad_duration": pc.invert(is_duration),
        "missing_genre": pc.equal(table["track_genre"], ""),
        "too_long": is_too_long,
    }
    number = pc.utf8_ltrim(table["id"], "0")
    ids = pc.if_else(pc.match_substring_regex(table["id"], _DIGITS), number, pa.scalar(None, pa.string()))
    return _classified(table.set_column(0, "id", ids).set_column(4, "duration_ms", duration), Kind.SONGS, reasons)


def _users(table: pa.Table) -> Classified:
    user_id, is_user_id = _number(table["user_id"], _USER_ID, _MAX_USER_ID)
    reasons = {
        "missing_user_id": pc.equal(table["user_id"], ""),
        "bad_user_id": pc.invert(is_user_id),
        "missing_country": pc.equal(table["user_country"], ""),
        "too_long": pc.greater(pc.binary_length(table["user_country"]), MAX_KEY_BYTES),
    }
    return _classified(table.set_column(0, "user_id", user_id), Kind.USERS, reasons)


def _number(text: pa.ChunkedArray, pattern: str, largest: int) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the numbers of a column, and which of them are in 1 … largest."""
    digits = pc.if_else(pc.match_substring_regex(text, pattern), pc.utf8_ltrim(text, "0"), "")
    is_possible = pc.and_(pc.greater(pc.binary_length(digits), 0), pc.less_equal(pc.binary_length(digits), 19))
    # The numbers of 19 digits are compared as text: some do not fit into 64 bits.
    is_in_range = pc.or_(pc.less(pc.binary_length(digits), 19), pc.less_equal(digits, str(2**63 - 1)))
    number = pc.if_else(pc.and_(is_possible, is_in_range), digits, "0").cast(pa.int64())
    return number, pc.and_(pc.greater(number, 0), pc.less_equal(number, largest))


def _classified(table: pa.Table, kind: Kind, reasons: dict[str, pa.ChunkedArray]) -> Classified:
    rejected: Counter[str] = Counter()
    is_left = pa.chunked_array([pa.repeat(pa.scalar(True), table.num_rows)])
    for reason, applies in reasons.items():
        count = pc.sum(pc.and_(is_left, applies)).as_py() or 0
        if count:
            rejected[reason] = count
            is_left = pc.and_not(is_left, applies)
    return Classified(table.filter(is_left).cast(SCHEMAS[kind]), rejected)
