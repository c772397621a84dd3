"""Which lines of a file are removed with a user, and that all other bytes stay."""

import itertools
import re
import sys
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from music_streams.forget.user_lines import UserLines
from music_streams.validation.file_verdicts import MAX_LINE_BYTES, validate
from tests.differential import reading, strategies
from tests.differential.reading import DirtyFile

HEADER = ["user_id", "track_id", "listen_time"]
TRACK, TIME = "4dBa8T7oDV9WvGr7kVS4Ez", "2024-06-25 17:43:13"
OTHER = f"70,{TRACK},{TIME}"
MIB = 1024 * 1024


def left(data: bytes, *, user: int = 7, header: list[str] | None = None, size: int = 0) -> bytes:
    """Return a file without the lines of a user; its bytes are read in chunks of a size."""
    lines = UserLines([user], HEADER if header is None else header)
    size = size or max(len(data), 1)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    result = b"".join(lines.without(lines.find([data]), chunks))
    # The two passes may get different chunks: S3 does not guarantee their size.
    assert size == len(data) or result == b"".join(lines.without(lines.find(chunks), [data]))
    return result


def is_left(line: str, **options) -> bool:
    return left(f"{OTHER}\n{line}\n{OTHER}\n".encode(), **options) == f"{OTHER}\n{line}\n{OTHER}\n".encode()


THEIRS = [
    *(f"{user_id},{TRACK},{TIME}" for user_id in ("7", "007", "0000000000000000007", '"7"', " 7")),
    f"7,bad track,{TIME}",
    f"7,{TRACK},bad time",
    "7,,",
]
OTHERS = [
    *(f"{user_id},{TRACK},{TIME}" for user_id in ("70", "17", "x7", "")),
    f"1,7,{TIME}",
    f"1,{TRACK},7",
    f'1,"7,7",{TIME}',
    f"1,{TRACK},2024-06-07 07:07:07",
]


@pytest.mark.parametrize("line", THEIRS)
def test_a_record_with_the_users_id_in_its_column_is_removed(line):
    assert not is_left(line)


@pytest.mark.parametrize("line", OTHERS)
def test_a_record_of_another_user_stays_whatever_else_it_contains(line):
    assert is_left(line)


@pytest.mark.parametrize(
    "line", ["7", f"1,{TRACK},{TIME},7", f"1,{TRACK},{TIME},x-007/y", f'7,"{TRACK},{TIME}', '"7"x']
)
def test_a_malformed_line_that_contains_the_id_is_removed(line):
    assert not is_left(line)


@pytest.mark.parametrize("line", [f"1,{TRACK},{TIME},70", f"1,{TRACK},{TIME},17", "x7", "7x", "70", "", " "])
def test_a_malformed_line_without_the_id_stays(line):
    assert is_left(line)


@pytest.mark.parametrize("line", [*THEIRS, *(line for line in OTHERS if re.search(r"\b0*7\b", line))])
def test_without_a_header_every_line_that_contains_the_id_is_removed(line):
    assert not is_left(line, header=[])


def test_the_column_is_found_by_the_header():
    header = ["track_id", "user_id", "x"]
    assert left(b"7,1,7\n1,7,1\n7,1,1", header=header) == b"7,1,7\n7,1,1"


def test_records_under_a_header_without_user_id_stay():
    assert left(b"7,a\n7,a,b\n7,c\n", header=["id", "name"]) == b"7,a\n7,c\n"


def test_the_lines_of_all_users_are_removed():
    lines = UserLines([7, 23], HEADER)
    chunks = [b"7,a,b\n23,a,b\n1,a,b\n237,a,b\n"]
    assert lines.find(chunks).lines == 2
    assert b"".join(lines.without(lines.find(chunks), chunks)) == b"1,a,b\n237,a,b\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_is_removed_with_its_line_end_only(end):
    data = end.join(["user_id,track_id,listen_time", OTHER, f"7,{TRACK},{TIME}", "", OTHER, f"7,{TRACK},{TIME}"])
    expected = end.join(["user_id,track_id,listen_time", OTHER, "", OTHER, ""])
    for size in (1, 2, 7, len(data)):
        assert left(data.encode(), size=size) == expected.encode()


@pytest.mark.parametrize("header", [[], HEADER], ids=["no header", "header"])
def test_a_byte_order_mark_stays_if_the_first_line_is_removed(header):
    assert left(b"\xef\xbb\xbf7\n8\n", header=header, size=1) == b"\xef\xbb\xbf8\n"


@pytest.mark.parametrize("before", range(MIB - 5, MIB + 3))
def test_a_line_end_that_spans_two_chunks_is_one(before):
    assert left(b"\n" * before + b"7\r\n9\r\n", header=[]) == b"\n" * before + b"9\r\n"


LONG = b"x" * (2 * MIB)


@pytest.mark.parametrize("at", [0, 1, *range(MIB - 72, MIB - 60), *range(MIB - 6, MIB + 2), len(LONG) - 1, len(LONG)])
def test_a_line_of_many_chunks_is_removed_wherever_it_contains_the_id(at):
    line = LONG[:at] + b",0077," + LONG[at:]
    assert left(b"8\n" + line + b"\n9\n", user=77, header=[]) == b"8\n9\n"
    assert left(b"8\n" + line + b"\n9\n", user=7, header=[]) == b"8\n" + line + b"\n9\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
@pytest.mark.parametrize("more", range(-3, 4))
def test_an_id_at_the_end_of_a_line_of_many_chunks_is_found(end, more):
    long = b"x" * (2 * MIB + more) + b",7"
    assert left(b"8\n" + long + end, header=[]) == b"8\n"
    assert left(b"8\n" + long + b"0" + end, header=[]) == b"8\n" + long + b"0" + end


def test_consecutive_long_lines_are_distinguished():
    kept, removed = LONG + b",8", LONG + b",7"
    for order in itertools.product([kept, removed], repeat=3):
        expected = b"\n".join(line for line in order if line == kept)
        assert left(b"\n".join(order), header=[], size=MIB).rstrip(b"\n") == expected


def _is_removed(line: bytes, user: int, header: tuple[str, ...]) -> bool:
    """A second implementation of the rule."""

    def contains(text: str) -> bool:
        words = re.split("[^0-9A-Za-z]+", text)
        return any(word.isdecimal() and word.isascii() and int(word) == user for word in words)

    text = line.decode("latin-1" if not header else "utf-8")
    fields = reading.record(text) if header else None
    if fields is None or len(fields) != len(header):
        return contains(text)
    return "user_id" in header and contains(fields[header.index("user_id")])


@settings(max_examples=300, deadline=None)
@given(strategies.dirty_files(("incoming/", "reference/users/")), st.sampled_from([1, 7, 42, 2**63 - 1]))
@example(DirtyFile("incoming/a.csv", b"user_id,track_id,listen_time\r\n7,a,b\r\n8,a,b\r\n"), 7)
def test_events_of_other_users_and_bytes_of_all_other_lines_stay(file, user):
    data, _ = reading.uncompressed(file.content)
    header = tuple(validate(file.key, [file.content], sys.maxsize).header)
    result = left(data, user=user, header=list(header))
    mark = reading.BOM if data.startswith(reading.BOM) else b""
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", data.removeprefix(mark))
    ends = b"\r\n"
    assert result == mark + b"".join(line for line in lines if not _is_removed(line.rstrip(ends), user, header))
    if header and file.key.startswith("incoming/"):
        read = (reading.read_rows(DirtyFile(file.key, content), set()).rows for content in (data, result))
        before, after = ([row.event for row in rows if row.event] for rows in read)
        assert after == [event for event in before if event[0] != user]


def test_memory_is_bounded_whatever_the_size_of_the_file_its_lines_or_the_removed_lines():
    def peak(data: bytes, copies: int, header: list[str]) -> int:
        lines = UserLines([7], header)
        tracemalloc.start()
        to_remove = lines.find(itertools.repeat(data, copies))
        size = sum(map(len, lines.without(to_remove, itertools.repeat(data, copies))))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size < copies * len(data)
        return peak

    rows = f"7,{TRACK},{TIME + ' ' * 1000}\n{OTHER + ' ' * 1000}\n".encode() * 512
    assert peak(rows, 30, HEADER) < 12 * MIB
    blank = b"7\n" + b"\n" * 32_768
    assert peak(blank, 16, []) < 16 * MIB
    part_of_a_line = b"7," + b"x" * MAX_LINE_BYTES
    assert peak(part_of_a_line, 400, []) < 12 * MIB


@pytest.mark.parametrize("user", ["7", ".*", "7|8", 7.0, True, None, b"7"], ids=repr)
def test_an_id_that_is_not_an_int_is_rejected(user):
    with pytest.raises(TypeError):
        UserLines([1, user], HEADER)


@pytest.mark.parametrize("users", [[], [0], [-7], [1, 2**63]], ids=str)
def test_ids_that_no_user_can_have_are_rejected(users):
    with pytest.raises(ValueError, match="user"):
        UserLines(users, HEADER)


class _Counting:
    """A pattern that counts its searches."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.searches = 0

    def search(self, *given):
        self.searches += 1
        return self._pattern.search(*given)


@pytest.mark.parametrize("line", [b"\n", b"8,a,b\n"])
def test_lines_are_searched_one_by_one_only_near_an_id(line):
    """A file of maximum size may have half a billion blank lines."""
    lines = UserLines([7], HEADER)
    pattern = lines._id = _Counting(lines._id)  # type: ignore[assignment]
    data = line * (2 * MIB // len(line))
    assert b"".join(lines.without(lines.find([data]), [data])) == data
    assert pattern.searches <= 2 * 2 * MIB // (64 * 1024) + 4
