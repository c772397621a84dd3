"""The validation of a file by its key and bytes (docs/design.md, section 3, File verdicts)."""

import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from music_streams.validation import csv_line
from music_streams.validation.file_verdicts import (
    MAX_COLUMNS,
    MAX_LINE_BYTES,
    MAX_RECORD_BYTES,
    Validation,
    Verdict,
    _Scan,
    validate,
)
from music_streams.validation.gunzip import MAX_MEMBERS
from tests.pieces import MIB, packed, pieces, with_peak_memory

KEY = "incoming/streams.csv"
COLUMNS = ["user_id", "track_id", "listen_time"]
BOM = b"\xef\xbb\xbf"
HEADER = b"user_id,track_id,listen_time"
ROW = b"7,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13"
GOOD = HEADER + b"\n" + ROW + b"\n"
SIZE_LIMIT = 1000


def validated(data: bytes, *, key: str = KEY, max_bytes: int = 1024 * MIB) -> Validation:
    return validate(key, [data], max_bytes)


VALID = {
    "with a final line end": GOOD,
    "without a final line end": HEADER + b"\n" + ROW,
    "header only": HEADER,
    "header and blank lines": HEADER + b"\n\n \r\n",
    "byte order mark": BOM + GOOD,
    "blank lines before the header": b"\n \t\r\n\r" + GOOD,
    "byte order mark and blank lines": BOM + b"\r\n" + GOOD,
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "CR": GOOD.replace(b"\n", b"\r"),
    "gzip": gzip.compress(GOOD),
    "gzip of a byte order mark first": gzip.compress(BOM + GOOD),
    "gzip of several members": gzip.compress(HEADER[:5]) + gzip.compress(b"") + gzip.compress(GOOD[5:]),
    "a line of exactly 64 KiB": HEADER + b"\n" + b"x" * MAX_LINE_BYTES + b"\n",
    "a last line of exactly 64 KiB": HEADER + b"\n" + b"x" * MAX_LINE_BYTES,
}


@pytest.mark.parametrize("data", VALID.values(), ids=VALID)
def test_a_valid_file_has_a_header_and_no_verdict(data):
    validation = validated(data)
    assert (validation.verdict, validation.header) == (None, COLUMNS)


@pytest.mark.parametrize("key", ["incoming/a.csv", "incoming/a.CSV", "incoming/b/a.csv.gz", "incoming/a.Csv.GZ"])
@pytest.mark.parametrize(("data", "is_gzip"), [(GOOD, False), (gzip.compress(GOOD), True)], ids=["plain", "gzip"])
def test_gzip_is_detected_by_the_magic_bytes_not_by_the_name(key, data, is_gzip):
    validation = validated(data, key=key)
    assert (validation.verdict, validation.is_gzip) == (None, is_gzip)


def test_the_header_may_quote_reorder_and_add_columns():
    validation = validated(b'extra,"listen_time","a, ""b""",user_id,track_id\n')
    assert validation.verdict is None
    assert validation.header == ["extra", "listen_time", 'a, "b"', "user_id", "track_id"]


INVALID = {
    "no bytes": (b"", Verdict.EMPTY_FILE),
    "blank lines": (b"\n\r\n \t\n", Verdict.EMPTY_FILE),
    "only a byte order mark": (BOM, Verdict.EMPTY_FILE),
    "a byte order mark and a blank line": (BOM + b"\n", Verdict.EMPTY_FILE),
    "gzip of nothing": (gzip.compress(b""), Verdict.EMPTY_FILE),
    "gzip of blank lines": (gzip.compress(BOM + b"\n\n"), Verdict.EMPTY_FILE),
    "an invalid byte": (GOOD + b"\xff", Verdict.NOT_UTF8),
    "a character cut off at the end": (GOOD + "é".encode()[:1], Verdict.NOT_UTF8),
    "a surrogate": (GOOD + b"\xed\xa0\x80", Verdict.NOT_UTF8),
    "Latin-1": (HEADER + b"\ncaf\xe9,", Verdict.NOT_UTF8),
    "UTF-16": (GOOD.decode().encode("utf-16"), Verdict.NOT_UTF8),
    "a NUL byte": (GOOD + b"a\0b", Verdict.NOT_CSV),
    "a line of 64 KiB and a byte": (GOOD + b"x" * (MAX_LINE_BYTES + 1) + b"\n", Verdict.NOT_CSV),
    "a last line of 64 KiB and a byte": (GOOD + b"x" * (MAX_LINE_BYTES + 1), Verdict.NOT_CSV),
    "a header of 64 KiB and a byte": (HEADER + b"," + b"x" * (MAX_LINE_BYTES - len(HEADER)), Verdict.NOT_CSV),
    "a column name twice": (HEADER + b",user_id\n", Verdict.NOT_CSV),
    "a column name twice, not a required one": (HEADER + b",x,x\n", Verdict.NOT_CSV),
    "gzip cut off": (gzip.compress(GOOD)[:-1], Verdict.NOT_CSV),
    "only the magic bytes of gzip": (gzip.compress(GOOD)[:2], Verdict.NOT_CSV),
    "gzip whose second member is cut off": (gzip.compress(GOOD) + gzip.compress(ROW)[:-1], Verdict.NOT_CSV),
    "gzip with a wrong checksum": (gzip.compress(GOOD)[:-8] + bytes(8), Verdict.NOT_CSV),
    "gzip with trailing bytes": (gzip.compress(GOOD) + b"behind", Verdict.NOT_CSV),
    "no required column": (b"a,b,c\n1,2,3\n", Verdict.MISSING_COLUMNS),
    "one column missing": (b"user_id,track_id\n", Verdict.MISSING_COLUMNS),
    "a column in the wrong case": (b"User_id,track_id,listen_time\n", Verdict.MISSING_COLUMNS),
    "a column with a space": (b"user_id, track_id,listen_time\n", Verdict.MISSING_COLUMNS),
    "a header that is not a record": (b'user_id,track_id,listen_time,"x\n', Verdict.MISSING_COLUMNS),
    "a second byte order mark": (BOM + BOM + GOOD, Verdict.MISSING_COLUMNS),
}


@pytest.mark.parametrize(("data", "verdict"), INVALID.values(), ids=INVALID)
def test_an_invalid_file_has_a_verdict_with_a_detail_and_a_bad_key_takes_precedence(data, verdict):
    validation = validated(data)
    assert validation.verdict is verdict
    assert validation.detail
    assert validated(data, key="incoming/a.txt").verdict is Verdict.BAD_KEY


@pytest.mark.parametrize("key", ["incoming/a.txt", "incoming/a", "incoming/csv", "incoming/a.csv.bz2", "incoming/a.gz"])
def test_a_key_with_another_suffix_is_bad_regardless_of_the_bytes(key):
    assert validated(GOOD, key=key).verdict is Verdict.BAD_KEY


SONGS = b"track_id,track_name,artists,duration_ms,track_genre\n"
USERS = b"user_country,user_id\n"


@pytest.mark.parametrize(
    ("key", "data", "verdict"),
    [
        ("reference/songs/a.csv", SONGS, None),
        ("reference/songs/sub/A.CSV", b"id," + SONGS, None),
        ("reference/songs/a.csv", SONGS.replace(b",artists", b""), Verdict.MISSING_COLUMNS),
        ("reference/songs/a.csv", GOOD, Verdict.MISSING_COLUMNS),
        ("reference/songs/a.csv.gz", gzip.compress(SONGS, mtime=0), Verdict.BAD_KEY),
        ("reference/users/a.csv", USERS, None),
        ("reference/users/a.csv", b"user_id\n", Verdict.MISSING_COLUMNS),
        ("reference/users/a.csv", b"", Verdict.EMPTY_FILE),
        ("reference/users/a.txt", USERS, Verdict.BAD_KEY),
    ],
)
def test_a_reference_file_needs_the_columns_of_its_kind(key, data, verdict):
    assert validated(data, key=key).verdict is verdict


def test_a_bad_key_is_reported_without_reading_the_file():
    def unreadable() -> Iterator[bytes]:
        raise AssertionError("read")
        yield b""

    assert validate("incoming/a.txt", unreadable(), SIZE_LIMIT).verdict is Verdict.BAD_KEY


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_size_limit_counts_uncompressed_bytes(compress):
    data = GOOD + b"\n" * (SIZE_LIMIT - len(GOOD))
    assert validated(compress(data), max_bytes=SIZE_LIMIT).verdict is None
    assert validated(compress(data + b"\n"), max_bytes=SIZE_LIMIT).verdict is Verdict.TOO_LARGE


DEFECTS = {  # verdict -> the part of a file that causes it; in order of precedence
    Verdict.TOO_LARGE: b"x" * SIZE_LIMIT + b"\n",
    Verdict.NOT_UTF8: b"\xff\n",
    Verdict.NOT_CSV: b"\0\n",
    Verdict.MISSING_COLUMNS: b"",
}


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(DEFECTS, 2)))
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_verdict_with_precedence_applies_regardless_of_the_order_of_defects(first, second, compress):
    header = b"a,b\n" if second is Verdict.MISSING_COLUMNS else HEADER + b"\n"
    for parts in itertools.permutations([DEFECTS[first], DEFECTS[second]]):
        data = compress(header + b"".join(parts))
        assert validated(data, max_bytes=SIZE_LIMIT).verdict is first


@pytest.mark.parametrize(("size", "verdict"), [(SIZE_LIMIT, Verdict.EMPTY_FILE), (SIZE_LIMIT + 1, Verdict.TOO_LARGE)])
def test_a_file_of_blank_lines_is_empty_up_to_the_size_limit_and_too_large_over_it(size, verdict):
    assert validated(b"\n" * size, max_bytes=SIZE_LIMIT).verdict is verdict


@pytest.mark.parametrize("start", [b"", b"a\n"], ids=["blank", "rows"])
def test_no_more_than_the_size_limit_and_a_chunk_is_decompressed(start):
    unpacked: list[int] = []

    class Counting:
        """A zlib decompressor that counts its output."""

        def __init__(self) -> None:
            self._inner = make(wbits=31)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def decompress(self, data: bytes, limit: int = 0) -> bytes:
            out = self._inner.decompress(data, limit)
            unpacked.append(len(out))
            return out

    chunks, make = bomb(start, b"\n", 64), zlib.decompressobj
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "decompressobj", lambda *_, **__: Counting())
        assert validate(KEY, chunks, 2 * MIB).verdict is Verdict.TOO_LARGE
    assert 2 * MIB < sum(unpacked) <= 4 * MIB


def test_an_endless_gzip_header_is_read_only_up_to_the_size_limit():
    step, largest = 4096, 64 * MIB
    bytes_read = 0

    def endless() -> Iterator[bytes]:
        nonlocal bytes_read
        start = b"\x1f\x8b\x08\x08" + bytes(6)  # FNAME follows, which ends at a NUL byte
        for chunk in itertools.chain([start.ljust(step, b"n")], itertools.repeat(b"n" * step, 100 * MIB // step)):
            bytes_read += len(chunk)
            yield chunk

    assert validate(KEY, endless(), largest).verdict is Verdict.TOO_LARGE
    limit = largest + largest // 64 + 2 * MIB  # as in the contract
    assert limit < bytes_read <= limit + step


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_that_exceeds_its_time_is_too_slow_and_is_not_read_further(compress):
    data = compress(GOOD * 1000)
    answers = itertools.chain([True, True, True], itertools.repeat(False))
    chunks = iter([*pieces(data, len(data) // 10), b"never read"])
    validation = validate(KEY, chunks, 1024 * MIB, lambda: next(answers))
    assert validation.verdict is Verdict.TOO_SLOW
    assert "reading it timed out after" in validation.detail
    assert b"never read" in list(chunks)


def test_the_verdict_too_large_takes_precedence_over_later_damage():
    assert validated(gzip.compress(GOOD + bytes(SIZE_LIMIT))[:-9], max_bytes=100).verdict is Verdict.TOO_LARGE


class Counted(str):
    """A column name that counts how often names are compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("last", ["x", "1"], ids=["unique names", "a name twice"])
def test_the_number_of_comparisons_is_linear_in_the_number_of_columns(monkeypatch, last):
    def comparisons(count: int) -> int:
        names = ["user_id", "user_country", *map(str, range(count)), last]
        monkeypatch.setattr(csv_line, "fields", lambda _: [Counted(name) for name in names])
        Counted.comparisons = 0
        assert validated(GOOD, key="reference/users/a.csv").verdict is (Verdict.NOT_CSV if last == "1" else None)
        return Counted.comparisons

    assert comparisons(4_000) < 3 * max(100, comparisons(2_000))


def test_the_verdict_on_repeated_columns_lists_a_few_and_quotes_no_unknown_name():
    names = [f"{n}-" + "x" * 300 for n in range(60)]
    validation = validated(",".join([*COLUMNS, *names, *names]).encode() + b"\n")
    assert validation.verdict is Verdict.NOT_CSV
    assert validation.detail.startswith("the header row has duplicate columns: column 64 repeats column 4, ")
    assert validation.detail.endswith(" and 55 more")
    assert len(validation.detail) < 250
    assert "xxx" not in validation.detail


def test_the_verdict_on_repeated_columns_names_columns_of_the_contract():
    assert validated(HEADER + b",b,track_id,b\n").detail == (
        "the header row has duplicate columns: column 5 repeats column 2 (track_id), column 6 repeats column 4"
    )


def test_the_verdict_on_a_file_without_a_header_does_not_quote_its_first_row():
    validation = validated(b"4711471147,4711471147,2024-06-25 17:43:13\n")
    assert validation.verdict is Verdict.NOT_CSV
    assert "4711471147" not in validation.detail


def expected_validation(data: bytes, max_bytes: int) -> tuple[Verdict | None, list[str]]:
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    size = len(text)
    text = text.removeprefix(BOM)
    lines = re.split(b"[\r\n]", text)
    not_blank = [line for line in lines if line.strip(csv_line.BLANK.encode())]
    if size > max_bytes:
        return Verdict.TOO_LARGE, []
    if not not_blank:
        return Verdict.EMPTY_FILE, []
    if text.decode(errors="ignore").encode() != text:
        return Verdict.NOT_UTF8, []
    if b"\0" in text or max(map(len, lines)) > MAX_LINE_BYTES:
        return Verdict.NOT_CSV, []
    header = csv_line.fields(not_blank[0].decode()) or []
    if len(set(header)) < len(header):
        return Verdict.NOT_CSV, []
    if not set(COLUMNS) <= set(header):
        return Verdict.MISSING_COLUMNS, []
    return None, header


PIECES = [HEADER, ROW, b"a", b'"', b",", "é𝄞".encode(), b"\n", b"\r\n", b"\r", b" ", b"\t\n", b"\x1f\n"]
DEFECTIVE = [b"\0", b"\xff", b"\xc3", BOM, b",user_id"]
LONG = {"line": b"x" * (MAX_LINE_BYTES - 1), "LINE": b"y" * MAX_LINE_BYTES, "blank": b"\n" * SIZE_LIMIT}
PIECE = st.sampled_from(PIECES)
ANY_PIECE = PIECE | st.sampled_from(DEFECTIVE) | st.sampled_from(list(LONG)).map(lambda name: LONG[name])
CONTENT = st.one_of(
    st.lists(PIECE, max_size=12),
    st.lists(ANY_PIECE, max_size=12),
    st.lists(PIECE, max_size=8).map(lambda tail: [HEADER, b"\n", *tail]),
).map(b"".join)


@st.composite
def gzipped(draw) -> bytes:
    text = draw(CONTENT)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return b"".join(gzip.compress(text[a:b], 1) for a, b in itertools.pairwise([0, *cuts, len(text)]))


FILES = st.one_of(CONTENT, CONTENT.map(lambda data: BOM + data), gzipped())
LIMITS = st.sampled_from([MIB, 2 * SIZE_LIMIT, 60])


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Split the data at positions; repeated positions give empty chunks."""
    return [data[a:b] for a, b in itertools.pairwise([0, *sorted(min(p, len(data)) for p in at), len(data)])]


@settings(max_examples=300, deadline=None)
@given(FILES, LIMITS, st.lists(st.one_of(st.integers(0, 40), st.integers(0, 200_000)), max_size=6))
@example(BOM + BOM + GOOD, MIB, [3])
@example(gzip.compress(BOM) + gzip.compress(BOM + GOOD), MIB, [])
@example(BOM + GOOD, len(GOOD), [])
def test_the_validation_does_not_depend_on_the_chunks(data, max_bytes, at):
    validation = validate(KEY, cut(data, at), max_bytes)
    assert (validation.verdict, validation.header) == expected_validation(data, max_bytes)


@settings(max_examples=150, deadline=None)
@given(FILES.filter(lambda data: len(data) < 2000), LIMITS, st.integers(1, 64), st.integers(0, 12))
def test_chunks_of_any_size_give_the_same_validation_of_complete_and_truncated_files(data, max_bytes, size, missing):
    data = data[: len(data) - missing] if missing <= len(data) else data
    in_chunks, at_once = validate(KEY, pieces(data, size), max_bytes), validate(KEY, [data], max_bytes)
    assert replace(in_chunks, detail="") == replace(at_once, detail="")


def bomb(start: bytes, filler: bytes, mib: int) -> list[bytes]:
    """Return a gzip file that grows a thousandfold when decompressed, in chunks."""
    return pieces(packed([start, *itertools.repeat(filler * MIB, mib)]))


BOMBS = {
    "one line": (GOOD, b"a", Verdict.NOT_CSV),
    "zeros": (GOOD, b"\0", Verdict.NOT_CSV),
    "blanks before the header": (b"", b" ", Verdict.EMPTY_FILE),
    "line ends": (GOOD, b"\n", None),
}


@pytest.mark.parametrize(("start", "filler", "verdict"), BOMBS.values(), ids=BOMBS)
def test_a_gzip_bomb_is_validated_in_a_few_megabytes_of_memory(start, filler, verdict):
    chunks = bomb(start, filler, 96)
    validation, peak = with_peak_memory(lambda: validate(KEY, chunks, 1024 * MIB))
    assert validation.verdict is verdict
    assert peak < 16 * MIB


def test_a_gzip_bomb_over_the_size_limit_is_not_decompressed_to_its_end():
    chunks = iter([*bomb(GOOD, b"a", 64), b"", b"never read"])
    assert validate(KEY, chunks, 10 * MIB).verdict is Verdict.TOO_LARGE
    assert b"never read" in list(chunks)


def test_a_plain_file_of_one_endless_line_is_validated_in_a_few_megabytes_of_memory():
    endless = itertools.chain([HEADER], (bytes(b"," * MIB) for _ in range(64)))
    validation, peak = with_peak_memory(lambda: validate(KEY, endless, 1024 * MIB))
    assert validation.verdict is Verdict.NOT_CSV
    assert peak < 16 * MIB


def test_gzip_with_too_many_members_is_not_csv_and_the_detail_says_so():
    validation = validated(gzip.compress(GOOD) + gzip.compress(b"") * MAX_MEMBERS)
    assert validation.verdict is Verdict.NOT_CSV
    assert validation.detail == "the gzip file has more than 100,000 members"
    assert validated(gzip.compress(GOOD) + gzip.compress(b"") * (MAX_MEMBERS - 1)).verdict is None


@pytest.mark.parametrize("data", [gzip.compress(b"") * 1000, gzip.compress(b"\n") * 1000], ids=["nothing", "blank"])
def test_the_time_is_checked_even_if_gzip_decompresses_to_nothing(data):
    calls = itertools.count()
    assert validate(KEY, [data], SIZE_LIMIT, lambda: next(calls) >= 0).verdict is Verdict.EMPTY_FILE
    assert next(calls) >= 1000


WIDE = HEADER + b"".join(b",c%d" % n for n in range(MAX_COLUMNS - len(COLUMNS)))


def test_a_streams_file_has_at_most_a_thousand_columns():
    assert validated(WIDE + b"\n").verdict is None
    validation = validated(WIDE + b",more\n")
    assert validation.verdict is Verdict.NOT_CSV
    assert validation.detail == "the header row has 1,001 columns, more than 1,000"
    assert validated(b"user_country," + WIDE, key="reference/users/a.csv").verdict is None


@pytest.mark.parametrize("start", [b" " * (MAX_LINE_BYTES + 2), b"x" * (MAX_LINE_BYTES + 2)], ids=["blanks", "text"])
def test_a_first_line_that_is_too_long_is_not_searched_further(start):
    """Searching it again with each chunk would take quadratic time."""
    scan = _Scan(SIZE_LIMIT, MAX_LINE_BYTES, limits_lines=True)
    for chunk in (start, b" ", b" "):
        scan.feed(chunk)
    assert len(scan._header) <= MAX_LINE_BYTES + 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("blanks", [b"", b"\n" * (MAX_LINE_BYTES - 7), b" \r\n" * MAX_LINE_BYTES], ids=len)
def test_the_header_is_found_after_any_number_of_blank_lines(pack, blanks):
    validation = validate(KEY, pieces(pack(BOM + blanks + GOOD), 1000), 1024 * MIB)
    assert (validation.header, validation.is_gzip) == (COLUMNS, pack is gzip.compress)


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MIB, 4 * MIB])
def test_a_blank_line_of_any_length_before_the_header_of_a_reference_file_is_skipped(size):
    data = b" " * (2 * MIB) + b"\n" + b"\t" * (MIB + MIB // 2) + b"\r\nuser_id,user_country\n1,DE\n"
    validation = validate("reference/users/a.csv", pieces(data, size), 1024 * MIB)
    assert (validation.verdict, validation.header) == (None, ["user_id", "user_country"])


def test_the_header_of_a_gzip_file_is_found_after_a_long_file_name():
    compressed = gzip.compress(GOOD)
    flagged = compressed[:3] + b"\x08" + compressed[4:10] + b"n" * 70_000 + b"\0" + compressed[10:]
    assert validate(KEY, [flagged[:MAX_LINE_BYTES], flagged[MAX_LINE_BYTES:]], 1024 * MIB).header == COLUMNS


def test_lines_and_columns_of_a_reference_file_have_no_limit_but_its_header_has_at_most_a_mebibyte():
    key = "reference/users/a.csv"
    header = b"user_id,user_country,"
    longest = header + b"x" * (MAX_RECORD_BYTES - len(header))
    assert validated(longest + b"\n" + b"," * 2_000_000, key=key).verdict is None
    assert validated(longest + b"x\n", key=key).verdict is Verdict.MISSING_COLUMNS
    assert validated(header + b",".join(b"%d" % n for n in range(20_000)), key=key).verdict is None
