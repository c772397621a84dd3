"""gzip of one member or many is unpacked in linear time, in bounded chunks, and with control given back often."""

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


def had(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """All that comes, and whether it ends in damage."""
    came = b""
    try:
        for chunk in chunks:
            came += chunk
    except zlib.error:
        return came, True
    return came, False


# ── What comes ────────────────────────────────────────────────────────────────────────────────────────────────────

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
def test_all_that_can_be_had_comes_and_then_the_damage_is_raised(stored, size):
    expected = reading.uncompressed(stored) if stored else (b"", True)
    assert had(gunzip(pieces(stored, size))) == expected


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 700, MIB]))
def test_what_comes_of_a_damaged_file_does_not_depend_on_how_it_is_cut(seed, size):
    stored = damaged(gzip.compress(b"7,a,b\n" * 400) * 3, seed)
    assert had(gunzip(pieces(stored, size))) == had(gunzip([stored]))


@pytest.mark.parametrize("size", [1, 7, MIB])
def test_more_members_than_the_limit_are_an_error_of_their_own(size):
    assert b"".join(gunzip(pieces(TINY * 5, size), max_members=5)) == b"7\n" * 5
    with pytest.raises(TooManyMembers, match="5 members"):
        list(gunzip(pieces(TINY * 6, size), max_members=5))


def test_the_limit_is_above_what_tools_write():
    bgzip_of_a_gibibyte = 1024**3 // (64 * 1024)
    assert 4 * bgzip_of_a_gibibyte < MAX_MEMBERS


# ── What it takes ─────────────────────────────────────────────────────────────────────────────────────────────────


class Counting:
    """A zlib decompressor that adds up the bytes that go into it and the copies that it makes of what is left."""

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
        patch.setattr(zlib, "decompressobj", lambda *given: Counting(decompressobj(*given)))
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
def test_few_bytes_are_touched_for_each_that_is_stored_or_unpacked_and_twice_as_many_of_twice_the_file(
    monkeypatch, shape
):
    once, twice = (touched(monkeypatch, shape(times)) for times in (1, 2))
    assert twice < 2.2 * once
    unpacked = sum(map(len, gunzip([shape(2)])))
    assert twice < 50 * len(shape(2)) + 3 * unpacked


def test_memory_is_bounded_by_the_chunk():
    for content in (packed(b"\n" * MIB for _ in range(64)), gzip.compress(NOISE[:3000]) * 700):
        largest, peak = with_peak_memory(partial(max, map(len, gunzip(pieces(content)))))
        assert largest <= MIB
        assert peak < 6 * MIB


@pytest.mark.parametrize("size", [MIB, 100])
def test_control_comes_back_within_a_thousand_members_and_within_every_stored_chunk(size):
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for part in pieces(EMPTY * 20_000, size):
            read += 1
            yield part

    came = [read for _ in gunzip(chunks())]
    assert set(came) == set(range(1, read + 1))
    assert len(came) >= 20


def test_an_empty_stored_chunk_gives_control_back_too():
    assert list(itertools.islice(gunzip(itertools.repeat(b"")), 3)) == [b""] * 3
