"""A stored file is read as plain bytes, and written in the form that it had."""

import gzip
import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_streams.packing import Unpacked, unzipped
from tests.differential import reading, strategies

TEXT = "user_id,track_id\r\n7,é𝄞\n" * 50


def parts(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


FORMS = {
    "plain": TEXT.encode(),
    "byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "UTF-16 little": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "UTF-16 big": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "one byte": b"7",
    "nothing": b"",
}


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("is_gzip", [False, True], ids=["as it is", "gzip"])
@pytest.mark.parametrize("stored", FORMS.values(), ids=FORMS)
def test_what_was_unpacked_is_packed_again_in_the_same_form(stored, is_gzip, size):
    content = Unpacked(parts(gzip.compress(stored) if is_gzip else stored, size))
    plain = b"".join(content)
    if stored.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert plain == ("\ufeff" + TEXT).encode()
    else:
        assert plain == stored
    packed = b"".join(content.pack(iter(parts(plain, size))))
    assert reading.uncompressed(packed) == (stored, False)
    assert packed.startswith(b"\x1f\x8b") == is_gzip
    assert not content.is_damaged


def test_several_members_are_read_as_one():
    stored = gzip.compress(b"user") + gzip.compress(b"") + gzip.compress(b"_id\n")
    assert b"".join(Unpacked([stored])) == b"user_id\n"


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 10_000]))
def test_of_damaged_gzip_all_comes_that_can_be_had(seed, size):
    choose = iter(range(seed, seed + 10**6))
    content = strategies.damaged_gzip(
        lambda count: (next(choose) * 7919) % count, gzip.compress(TEXT.encode(), mtime=0)
    )
    expected, is_damaged = reading.uncompressed(content)
    unpacked = Unpacked(parts(content, size))
    assert b"".join(unpacked) == expected
    assert unpacked.is_damaged == is_damaged


def test_damage_is_told_after_all_that_can_be_had():
    chunks = unzipped([gzip.compress(b"whole") + gzip.compress(b"damaged")[:-9]])
    assert b"".join(itertools.islice(chunks, 1)) == b"whole"
    with pytest.raises(zlib.error):
        list(chunks)
