"""Generates nearly valid files: a good file with a few defects, so that every rule applies often.

A file is built in the order of a careless producer: header and rows, lines, bytes, gzip, key. One function makes every
choice: either Hypothesis (few files, minimized if a test fails) or a seeded generator (many files; Hypothesis repeats
its choices so often that rare rules would hardly apply).
"""

import gzip
import itertools
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from tests.differential.reading import BOM, COLUMNS, DirtyFile, uncompressed

Choose = Callable[[int], int]
"""Returns a number from 0 to one below its argument; 0 is the simplest choice."""
_T = TypeVar("_T")

KNOWN_TRACKS = ("4dBa8T7oDV9WvGr7kVS4Ez", "0000000000000000000000", "zzzzzzzzzzzzzzzzzzzzzZ")
UNKNOWN_TRACKS = ("4dba8t7odv9wvgr7kvs4ez", "0000000000000000000001")
BAD_TRACKS = (
    *("4dBa8T7oDV9WvGr7kVS4E", "4dBa8T7oDV9WvGr7kVS4Ezz", "4dBa8T7oDV9WvGr7kVS4E-", "4dBa8T7oDV9WvGr7kVS4E "),
    *(" 4dBa8T7oDV9WvGr7kVS4Ez", "4dBa8T7oDV9WvGr7kVS4Ez\t", "4dBa8T7oDV9WvGr7kVS4Ez\u0085"),
    "4dBa8T7oDV9WvGr7kVS4Eé",
    "4dBa8T7oDV9WvGr7kVS4E\uff11",  # a full-width digit
    "4dBa8T7oDV9WvGr7kVS4Ez\u0301",  # a combining accent
    "4dBa8T7oDV9WvGr7kVS4\U0001d11e",  # 22 UTF-16 units, 21 characters
    " ",
)

USERS = ("1", "7", "007", "42", "0000000000000000007", "9223372036854775807")
BAD_USERS = (
    *("0", "000", "0000000000000000000", "00000000000000000007", "9223372036854775808", "9999999999999999999"),
    *("92233720368547758070", "-1", "+7", "7.0", "7e3", " 7", "7 ", "7\t", "7\u2028", "\ufeff7", "٧", "７"),
    "\U0001d7df",  # a mathematical digit
    *("x", "1_000", "NULL", " ", '"7"'),
)

# The five parts of a listen_time, good and bad.
DATES = ("2024-06-25", "2024-06-24", "2024-02-29", "2000-02-29", "1970-01-01", "2023-12-31", "2024-06-27", "9999-12-31")
BAD_DATES = (
    *("1969-12-31", "0000-01-01", "0001-01-01", "1582-10-10", "2023-02-29", "2100-02-29", "2024-02-30", "2024-04-31"),
    *("2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "24-01-01", "12024-01-01", "+2024-01-01"),
    *("-2024-01-01", "2024-1-01", "2024-06", "2024/06/24", "٢٠٢٤-06-24", "２０２４-06-24", " 2024-06-24"),
)
SEPARATORS = ("T", " ")
BAD_SEPARATORS = ("t", "", "  ", "\u00a0", "\t", "T ")
TIMES = ("00:00:00", "23:59:59", "12:34:56", "10:00:00")
BAD_TIMES = (
    *("24:00:00", "23:60:00", "23:59:60", "1:02:03", "12:34", "12:34:5", "12-34-56", "12:34:56:00", "1２:34:56", ""),
)
FRACTIONS = ("", "", ".1", ".123", ".123456", ".1234569", ".123456789", ".000000999", ".9999999", ".12345678")
BAD_FRACTIONS = (".", ".1234567890", ",5", ".1a", ".١", ".-1", ". 1", ".1.1")
ZONES = ("", "", "Z", "+00:00", "-00:00", "+0530", "+05:30", "-09:30", "+17:59", "-1759", "+18:00", "-1800")
BAD_ZONES = (
    *("z", "+18:01", "-1801", "+18:59", "+19:00", "-23:59", "+05:60", "+1760", "+5:30", "+05", "+05:3", "+05:30:00"),
    "\u221205:00",  # a minus sign
    *("+0٥:00", " Z", "Z ", "UTC", "[UTC]", "\n"),
)

# Values that splitting or trimming by other rules than the contract's would damage.
TEXTS = (
    *("", "a", " padded ", "a,b", 'say "hi"', '"', ",", "é", "e\u0301", "\U0001f3b5", "\u0085", "\u2028"),
    *("\u000b\u000c", "\u001c\u001d\u001e\u001f", "\u00a0", "\ufeff", "\u007f", "\\", "\\N", "null", "#", "'", "\t"),
    "$1",
)
NAMES = (
    *("x", "", "USER_ID", "user_id ", "Track_Id", "a,b", 'a "b"', "é", "e\u0301", "\u2028", "\u0085", "`", "raw"),
    *("#", "\t", "id"),
)
BLANK_LINES = ("", " ", "\t", " \t ", "\u0001\u001f", "\u000b\u000c", "\u001c\u001d\u001e")
NEARLY_BLANK_LINES = ("!", "\u00a0", "\u3000", "\u200b", "\u007f", "\ufeff", "\u0085", "\u2028", '""', ",", "#")
NOISE = 'aé0,"" \t\r\n\u0001\u0085\u2028\u0660\ufeff\U0001f3b5:-TZ'

DURATIONS = ("1", "200000", "007", "2147483647", "00000000000000000000000000000000000012")
BAD_DURATIONS = (
    *("0", "000", "2147483648", "9223372036854775807", "9223372036854775808", "99999999999999999999", "-1", "+1"),
    *("200001.0", "210,000", "2e5", " 1", "1 ", "1\t", "٣", "７", "x", "NULL"),
)
GENRES = ("pop", "folk", "a,b", 'say "hi"', "two\nlines", "\r\n", " ", "é" * 500)
COUNTRIES = ("Chile", "Norway", "Côte d'Ivoire", "two\nlines", " ", "é" * 500)
LONG_TEXTS = ("é" * 500 + "x", "x" * 1_001, "x" * 1_000)
LONG_NAMES = ("x" * 20_000, "x" * 19_999, "é" * 10_000)
IDS = ("", "0", "007", "12345678901234567890123", "1.0", "x", " 1")
REFERENCE_VALUES: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "reference/songs/": {
        "id": (IDS, IDS),
        "track_id": (KNOWN_TRACKS, BAD_TRACKS),
        "track_name": (TEXTS, LONG_NAMES),
        "artists": (("", "a"), LONG_NAMES),
        "duration_ms": (DURATIONS, BAD_DURATIONS),
        "track_genre": (GENRES, LONG_TEXTS),
    },
    "reference/users/": {
        "user_id": (USERS, BAD_USERS),
        "user_country": (COUNTRIES, LONG_TEXTS),
    },
}
"""Good values of each column, and bad ones."""

INVALID_BYTES = (b"\xff", b"\xc3", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9d", b"\xf5\x80\x80\x80", b"\xe9")
KEYS = ("a.csv", "sub/folder/a.CSV", "a.csv.gz", ".csv", "a b+%20.Csv.gZ", "_é.csv", "a.txt.csv")
REFERENCE_KEYS = ("a.csv", "sub/A.CSV")
BAD_KEYS = ("a.txt", "a", "csv", "a.gz", "a.csv.zip", "a.csv ", "a.csv\n", "a.csv.gz.bak", "a.tsv", "a.cvs", "a.csv.")
ARRIVALS = (
    *("2024-06-25T10:00:00.123Z", "2024-02-28T23:59:59.999Z", "2000-02-29T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
)
RATIOS = ("0.20", "0.20", "0.20", "0.5", "0", "1", "0.3333", "0.75")

FILE_DEFECTS = ("key", "header", "bytes", "bytes", "gzip", "size")
BYTE_DEFECTS = (
    *("NUL", "invalid", "cut", "one byte changed", "one byte changed", "long line", "blank", "blank", "blank"),
    *("nearly blank head", "byte order mark", "UTF-16"),
)
GOOD_ROWS = ("good",) * 9 + ("repeat",) * 3
BAD_ROWS = ("bad", "bad", "bad", "very bad", "broken", "too few", "too many", "noise", "nearly blank")


@st.composite
def dirty_files(draw: st.DrawFn, prefixes: Sequence[str]) -> DirtyFile:
    """Generate files by Hypothesis."""
    return dirty_file(lambda count: draw(st.integers(0, count - 1)), prefixes)


def sample(seed: int, count: int, prefixes: Sequence[str] = ("incoming/",)) -> list[DirtyFile]:
    """Return the files of a seed, always the same ones."""
    choose = random.Random(seed).randrange
    return [dirty_file(choose, prefixes) for _ in range(count)]


def pick(choose: Choose, values: Sequence[_T]) -> _T:
    return values[choose(len(values))]


def chance(choose: Choose, percent: int) -> bool:
    """Return True with the given probability in percent."""
    return choose(100) >= 100 - percent


def between(choose: Choose, low: int, high: int) -> int:
    return low + choose(high - low + 1)


def dirty_file(choose: Choose, prefixes: Sequence[str]) -> DirtyFile:
    """Return a file as it may arrive: most are valid and contain bad rows, the others have one or two defects."""
    prefix = pick(choose, prefixes)
    defects = [pick(choose, FILE_DEFECTS) for _ in range(pick(choose, (0, 0, 0, 0, 1, 1, 2)))]
    arrival = pick(choose, ARRIVALS[:1] * 4 + ARRIVALS)
    names = column_names(choose, COLUMNS[prefix])
    if "header" in defects:
        names = with_bad_name(choose, names)
    header = line_of(choose, names)
    if "header" in defects and chance(choose, 15):
        header = broken(choose, header)
    data = joined(choose, [header, *row_lines(choose, prefix, names, arrival)])
    if "bytes" in defects:
        data = damaged(choose, data)
    content = packed(choose, data) if "gzip" in defects or chance(choose, 20) else data
    if "gzip" in defects:
        content = damaged_gzip(choose, content)
    size = len(uncompressed(content)[0])
    max_bytes = max(size + between(choose, -4, 1), 0) if "size" in defects else 1024**3
    good_keys = KEYS if prefix == "incoming/" else REFERENCE_KEYS
    key = prefix + pick(choose, BAD_KEYS if "key" in defects else good_keys)
    return DirtyFile(key, content, arrival, max_bytes, pick(choose, RATIOS))


def column_names(choose: Choose, required: Sequence[str]) -> list[str]:
    """Return the required names and perhaps others, often in another order."""
    names = [*required, *dict.fromkeys(pick(choose, NAMES) for _ in range(choose(3)))]
    if chance(choose, 60):
        names = [names.pop(choose(len(names))) for _ in range(len(names))]
    return names


def with_bad_name(choose: Choose, names: list[str]) -> list[str]:
    """Return the names with one of them repeated, missing or spelled differently."""
    at = choose(len(names))
    name = names[at]
    spellings = (name + " ", " " + name, name.upper(), "\ufeff" + name, name + "\u0301", f"`{name}`", f'"{name}"')
    match pick(choose, ("twice", "empty twice", "missing", "misspelled")):
        case "empty twice":
            return ["", *names, ""]
        case "twice":
            behind = choose(len(names) + 1)
            return [*names[:behind], name, *names[behind:]]
        case "missing":
            return names[:at] + names[at + 1 :]
        case _:
            return [*names[:at], pick(choose, spellings), *names[at + 1 :]]


def row_lines(choose: Choose, prefix: str, names: Sequence[str], arrival: str) -> list[str]:
    """Return the lines below the header; some are bad, some repeat an earlier event in another notation."""
    kinds = GOOD_ROWS + BAD_ROWS * pick(choose, (0, 1, 4))
    events: list[dict[str, str]] = []
    lines = []
    for _ in range(choose(11)):
        kind = pick(choose, kinds)
        if kind == "noise":
            lines.append("".join(pick(choose, NOISE) for _ in range(choose(12))))
            continue
        if kind == "nearly blank":
            lines.append(pick(choose, NEARLY_BLANK_LINES))
            continue
        row = {name: pick(choose, TEXTS) if chance(choose, 40) else "a" for name in names}
        if prefix == "incoming/":
            row |= (
                repeated(choose, pick(choose, events)) if kind == "repeat" and events else good_event(choose, arrival)
            )
            events.append(row)  # a bad row may be repeated too
        else:
            row |= {name: pick(choose, good) for name, (good, _) in REFERENCE_VALUES[prefix].items()}
        for _ in range(("good", "bad", "very bad").index(kind) if kind in ("bad", "very bad") else 0):
            row |= bad_value(choose, arrival) if prefix == "incoming/" else bad_reference_value(choose, prefix)
        values = [row[name] for name in names]
        if kind == "too few":
            del values[choose(len(values))]
        if kind == "too many":
            values.insert(choose(len(values) + 1), pick(choose, TEXTS))
        line = line_of(choose, values)
        lines.append(broken(choose, line) if kind == "broken" else line)
    return lines


def good_event(choose: Choose, arrival: str) -> dict[str, str]:
    """Return the columns of an event that the contract accepts, unless it is in the future."""
    before = pick(choose, (0, 1, 10**3, 10**6, 3_599_999_999, 86_400 * 10**6, 365 * 86_400 * 10**6))
    instant = max(epoch_of(arrival) - before, 0)
    return {
        "user_id": pick(choose, USERS),
        "track_id": pick(choose, KNOWN_TRACKS * 4 + UNKNOWN_TRACKS),
        "listen_time": listen_time(choose) if chance(choose, 30) else notation(choose, instant),
    }


def bad_value(choose: Choose, arrival: str) -> dict[str, str]:
    """Return a column with a value that the contract rejects, or nearly."""
    column = pick(choose, ("user_id", "track_id", "listen_time"))
    if chance(choose, 25):
        return {column: ""}
    if chance(choose, 10):
        return {column: pick(choose, TEXTS)}
    if column == "user_id":
        return {column: pick(choose, BAD_USERS)}
    if column == "track_id":
        return {column: pick(choose, BAD_TRACKS)}
    if chance(choose, 35):  # around the latest instant that is accepted
        latest = epoch_of(arrival) + 24 * 3600 * 10**6
        return {column: notation(choose, latest + pick(choose, (0, 0, 0, 0, 1, 1, 1, -1, 999, 10**6)))}
    return {column: listen_time(choose, is_bad=True)}


def bad_reference_value(choose: Choose, prefix: str) -> dict[str, str]:
    """Return a column of a songs or users file with a value that the contract rejects, or nearly."""
    column = pick(choose, tuple(REFERENCE_VALUES[prefix]))
    return {column: "" if chance(choose, 25) else pick(choose, REFERENCE_VALUES[prefix][column][1])}


def listen_time(choose: Choose, *, is_bad: bool = False) -> str:
    """Return a time built of five parts, one of them bad if `is_bad`."""
    good = (DATES, SEPARATORS, TIMES, FRACTIONS, ZONES)
    bad = (BAD_DATES, BAD_SEPARATORS, BAD_TIMES, BAD_FRACTIONS, BAD_ZONES)
    worst = choose(5) if is_bad else None
    return "".join(pick(choose, bad[part] if part == worst else good[part]) for part in range(5))


def notation(choose: Choose, instant: int) -> str:
    """Return one of the notations of an instant (microseconds since 1970)."""
    sign, hours, minutes = pick(
        choose, (("", 0, 0), ("+", 0, 0), ("-", 0, 0), ("+", 5, 30), ("-", 9, 30), ("+", 18, 0))
    )
    offset = timedelta(hours=hours, minutes=minutes)
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant) + (-offset if sign == "-" else offset)
    zone = f"{sign}{hours:02}{pick(choose, (':', ''))}{minutes:02}" if sign else pick(choose, ("", "Z"))
    fraction = f".{local.microsecond:06}"
    if chance(choose, 50):
        fraction = fraction.rstrip("0").rstrip(".")
    elif chance(choose, 50):
        fraction += pick(choose, ("0", "9", "00", "999", "9999"))
    return f"{local:%Y-%m-%d}{pick(choose, SEPARATORS)}{local:%H:%M:%S}{fraction}{zone}"


def repeated(choose: Choose, event: dict[str, str]) -> dict[str, str]:
    """Return the event of an earlier row, perhaps in another notation."""
    user, time = event["user_id"], event["listen_time"]
    if chance(choose, 50):
        user = user.lstrip("0").zfill(between(choose, 1, 20))
    if chance(choose, 50):
        time = time.replace("T", " ") if "T" in time else time.replace(" ", "T", 1)
    if chance(choose, 30):
        time = time.removesuffix("Z") + pick(choose, ("", "Z", "+00:00", "-0000"))
    return {"user_id": user, "track_id": event["track_id"], "listen_time": time}


def line_of(choose: Choose, values: Sequence[str]) -> str:
    """Return the values as a record: quoted if they must be, and sometimes if they need not."""
    percent = pick(choose, (0, 0, 0, 60))
    return ",".join(
        '"{}"'.format(value.replace('"', '""')) if set(value) & set(',"\r\n') or chance(choose, percent) else value
        for value in values
    )


def broken(choose: Choose, line: str) -> str:
    """Return the line with a quote, comma or line end added or removed."""
    if chance(choose, 30) and '"' in line:
        return line.replace('"', "", 1)
    at = choose(len(line) + 1)
    return line[:at] + pick(choose, ('"', '"', '""', ',"', '",', '"x', "\n", "\r", ",", '"\n"')) + line[at:]


def joined(choose: Choose, lines: Sequence[str]) -> bytes:
    """Join lines with one kind of line end or all, blank lines between them, and perhaps a byte order mark."""
    ends = pick(choose, (("\n",), ("\r\n",), ("\r",), ("\n", "\r\n", "\r")))
    blank_percent = pick(choose, (0, 0, 0, 20))
    text = ""
    for line in lines:
        while chance(choose, blank_percent):
            text += pick(choose, BLANK_LINES) + pick(choose, ends)
        text += line + pick(choose, ends)
    if chance(choose, 30):
        text = text.rstrip("\r\n")
    return (BOM if chance(choose, 15) else b"") + text.encode()


def damaged(choose: Choose, data: bytes) -> bytes:
    """Return the bytes with one defect, or nearly."""
    at = choose(len(data) + 1)
    match pick(choose, BYTE_DEFECTS):
        case "NUL":
            return data[:at] + b"\0" + data[at:]
        case "invalid":
            return data[:at] + pick(choose, INVALID_BYTES) + data[at:]
        case "cut":
            return data[:at]
        case "one byte changed":
            return data[:at] + bytes([choose(256)]) + data[at + 1 :]
        case "long line":
            start = max(data.rfind(b"\n", 0, at), data.rfind(b"\r", 0, at)) + 1
            missing = 65_536 + between(choose, -1, 1) - len(data[start:at])
            padding = pick(choose, (b"x", b"x", b",", b'"', b" ", "é".encode()))
            padding = padding * (missing // len(padding)) + b"x" * (missing % len(padding))
            return data[:at] + padding + pick(choose, (b"\n", b"\r")) + data[at:]
        case "blank":
            kinds = pick(choose, (BLANK_LINES, (*BLANK_LINES, *NEARLY_BLANK_LINES, "\0")))
            blank = "\n".join(pick(choose, kinds) for _ in range(choose(5))).encode()
            return (BOM if data.startswith(BOM) else b"") + blank
        case "nearly blank head":
            return pick(choose, NEARLY_BLANK_LINES).encode() + b"\n" + data
        case "byte order mark":
            return BOM + data
        case _:
            return b"\xff\xfe" + data.decode().encode("utf-16-le")


def packed(choose: Choose, data: bytes) -> bytes:
    """Return the bytes as a gzip file of one or more members."""
    cuts = sorted(choose(len(data) + 1) for _ in range(pick(choose, (0, 0, 1, 3))))
    level = pick(choose, (0, 9))
    edges = itertools.pairwise([0, *cuts, len(data)])
    return b"".join(gzip.compress(data[start:end], compresslevel=level, mtime=0) for start, end in edges)


def damaged_gzip(choose: Choose, content: bytes) -> bytes:
    """Return the gzip file with a suffix, without its end, or with a changed byte."""
    match pick(choose, ("cut", "behind", "one byte changed")):
        case "cut":
            return content[: between(choose, 1, len(content) - 1)]
        case "behind":
            return content + pick(
                choose, (b"x", b"\n", b"\0", bytes(9), b"\x1f", b"\x1f\x8b", b"garbage", content[:-1])
            )
        case _:
            at = between(choose, 2, len(content) - 1)
            return content[:at] + bytes([choose(256)]) + content[at + 1 :]


def epoch_of(timestamp: str) -> int:
    """Return a timestamp in microseconds since 1970."""
    since = datetime.fromisoformat(timestamp) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)
