"""The rows of reference files, compared with the oracle's parser on generated files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams.reference import csv_rows
from music_streams.reference.csv_rows import read_rows
from tests.oracle import raw

LONGEST, BLOCK = 12, 5  # bytes, so that records and blocks of a short file exceed them

pieces = st.sampled_from(
    ['"', '""', ",", "\n", "\r", "\r\n", "a", "b c", " ", "é", "\x0b", "\u2028", "\ufeff", "x" * 13, " " * 13]
)
files = st.lists(pieces, max_size=40).map("".join)


def in_chunks(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def rows_of(content: bytes, chunk: int, columns: tuple[str, ...]) -> tuple[list[tuple[str, ...]], int]:
    """Return the rows in the order of their text, and the number of malformed records."""
    parts = list(read_rows(in_chunks(content, chunk), columns))
    rows = [tuple(row.values()) for part in parts for row in part.table.to_pylist()]
    return sorted(rows), sum(part.malformed for part in parts)


def rows_by_the_oracle(text: str) -> tuple[list[tuple[str, ...]], int]:
    records = [raw.fields(each) for each in raw.reference_records(text, LONGEST) if each.strip(raw.BLANK)]
    rows = [record for record in records if record is not None and len(record) == 2]
    return sorted(map(tuple, rows)), len(records) - len(rows)


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "MAX_RECORD_BYTES", LONGEST)
        patch.setattr(csv_rows, "BLOCK_BYTES", BLOCK)
        yield


@given(files, st.integers(1, 9), st.sampled_from(["", "\ufeff", "\r\n \r", "\ufeff\n", " " * 30 + "\n"]))
def test_rows_are_those_of_the_oracle_whatever_the_blocks(text, chunk, before):
    content = f"{before}p,q\n{text}".encode()
    assert rows_of(content, chunk, ("p", "q")) == rows_by_the_oracle(text)
