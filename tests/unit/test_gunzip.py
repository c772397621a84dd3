"""gzip files of one or more members are decompressed in linear time and bounded chunks, with frequent yields."""

import gzip
import itertools
import random
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_streams.errors import TooManyMembers
from music_streams.validation.gunzip import MAX_MEMBERS, gunzip
from tests.differential import reading
from tests.pieces import MIB, damaged, packed, pieces, with_peak_memory

EMPTY = gzip.compress(b"", mtime=0)
TINY = gzip.compress(b"7\n", mtime=0)
NOISE = random.Random(7).randbytes(4 * MIB)


def read_all(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return all bytes before the end or the error, and whether there was an error."""
    content = b""
    try:
        for chunk in chunks:
            content += chunk
    except zlib.error:
        return content, True
    return content, False


# ── Content ────────────────────────────────────────────────────────────────────────────────────────────────────

FILES = {
    "one member": gzip.compress(b"user_id,track_id\n" * 1000),
    "several members": gzip.compress(b"user") + EMPTY + gzip.compress(b"_id\n"),
    "a large member between small ones": TINY + gzip.compress(NOISE[:300_000]) + TINY * 3,
    "empty members": EMPTY * 3000,
    "well packed": gzip.compress(b"\n" * 5 * MIB),
    "cut off": gzip.compress(b"whole") + gzip.compress(b"damaged")[:-9],
    "no bytes": b"",
    "the mark alone": b"\x1f\x8b",
    "zeros behind": gzip.compress(b"whole") + bytes(20),
    "a wrong checksum": TINY + gzip.compress(b"text" * 100)[:-8] + bytes(8),
}


@pytest.mark.parametrize("stored", FILES.values(), ids=FILES)
@pytest.mark.parametrize("size", [1, 1000, MIB])
def test_all_recoverable_bytes_are_yielded_before_the_error(stored, size):
    expected = reading.uncompressed(stored) if stored else (b"", True)
    assert read_all(gunzip(pieces(stored, size))) == expected


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 700, MIB]))
def test_the_bytes_of_a_damaged_file_do_not_depend_on_the_chunks(seed, size):
    stored = damaged(gzip.compress(b"7,a,b\n" * 400) * 3, seed)
    assert read_all(gunzip(pieces(stored, size))) == read_all(gunzip([stored]))


@pytest.mark.parametrize("size", [1, 7, MIB])
def test_more_members_than_the_limit_raise_their_own_error(size):
    assert b"".join(gunzip(pieces(TINY * 5, size), max_members=5)) == b"7\n" * 5
    with pytest.raises(TooManyMembers, match="5 members"):
        list(gunzip(pieces(TINY * 6, size), max_members=5))


def test_the_limit_of_members_is_above_what_tools_write():
    bgzip_of_a_gibibyte = 1024**3 // (64 * 1024)
    assert 4 * bgzip_of_a_gibibyte < MAX_MEMBERS


# ── Time and memory ─────────────────────────────────────────────────────────────────────────────────────────────────


class Counting:
    """A zlib decompressor that counts its input, its output, and the unused input that it copies."""

    touched = 0

    def __init__(self, member: Any) -> None:
        self._member = member

    def decompress(self, data: bytes, *limit: int) -> bytes:
        out: bytes = self._member.decompress(data, *limit)
        Counting.touched += len(data) + len(out)
        Counting.touched += len(self._member.unused_data) + len(self._member.unconsumed_tail)
        return out

    def copy(self) -> "Counting":
        return Counting(self._member.copy())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)


def touched(monkeypatch, stored: bytes) -> int:
    decompressobj = zlib.decompressobj
    with monkeypatch.context() as patch:
        patch.setattr(zlib, "decompressobj", lambda *arguments: Counting(decompressobj(*arguments)))
        Counting.touched = 0
        list(gunzip(pieces(stored)))
    return Counting.touched


SHAPES = {
    "empty members": lambda times: EMPTY * 3000 * times,
    "tiny members": lambda times: TINY * 3000 * times,
    "members of 3 KB": lambda times: gzip.compress(NOISE[:3000]) * 60 * times,
    "members of 70 KB": lambda times: gzip.compress(NOISE[:70_000]) * 5 * times,
    "noise": lambda times: gzip.compress(NOISE[: 300_000 * times]),
    "a bomb": lambda times: gzip.compress(b"\n" * 8 * MIB * times),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_work_is_linear_in_stored_and_uncompressed_bytes(monkeypatch, shape):
    once, twice = (touched(monkeypatch, shape(times)) for times in (1, 2))
    assert twice < 2.2 * once
    unpacked = sum(map(len, gunzip([shape(2)])))
    assert twice < 50 * len(shape(2)) + 3 * unpacked


def test_memory_is_bounded_by_the_chunk_size():
    for content in (packed(b"\n" * MIB for _ in range(64)), gzip.compress(NOISE[:3000]) * 700):
        largest, peak = with_peak_memory(partial(max, map(len, gunzip(pieces(content)))))
        assert largest <= MIB
        assert peak < 6 * MIB


@pytest.mark.parametrize("size", [MIB, 100])
def test_a_chunk_is_yielded_for_every_member_and_every_stored_chunk(size):
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for part in pieces(EMPTY * 20_000, size):
            read += 1
            yield part

    chunks_read = [read for _ in gunzip(chunks())]
    assert set(chunks_read) == set(range(1, read + 1))
    assert len(chunks_read) >= 20_000


def test_something_is_yielded_for_an_empty_stored_chunk():
    assert list(itertools.islice(gunzip(itertools.repeat(b"")), 3)) == [b""] * 3
