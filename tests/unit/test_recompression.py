"""A stored file is read as plain bytes, and written in its original form."""

import gzip
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_streams.errors import TooManyMembers
from music_streams.forget.recompression import Unpacked
from tests.differential import reading
from tests.pieces import damaged, pieces

TEXT = "user_id,track_id\r\n7,é𝄞\n" * 50


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
def test_a_decompressed_file_is_compressed_again_in_the_same_form(stored, is_gzip, size):
    content = Unpacked(pieces(gzip.compress(stored) if is_gzip else stored, size))
    plain = b"".join(content)
    if stored.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert plain == ("\ufeff" + TEXT).encode()
    else:
        assert plain == stored
    packed = b"".join(content.pack(iter(pieces(plain, size))))
    assert reading.uncompressed(packed) == (stored, False)
    assert packed.startswith(b"\x1f\x8b") == is_gzip
    assert not content.is_damaged


def test_several_members_are_read_as_one():
    stored = gzip.compress(b"user") + gzip.compress(b"") + gzip.compress(b"_id\n")
    assert b"".join(Unpacked([stored])) == b"user_id\n"


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 10_000]))
def test_all_recoverable_bytes_of_damaged_gzip_are_yielded(seed, size):
    content = damaged(gzip.compress(TEXT.encode(), mtime=0), seed)
    expected, is_damaged = reading.uncompressed(content)
    unpacked = Unpacked(pieces(content, size))
    assert b"".join(unpacked) == expected
    assert unpacked.is_damaged == is_damaged


def test_a_bound_ends_the_iteration_even_if_a_file_contains_nothing():
    def twice(chunks):
        yield from itertools.islice(chunks, 2)
        raise TooManyMembers

    for stored in ([gzip.compress(b"") * 1000], itertools.repeat(b"7,1\n")):
        with pytest.raises(TooManyMembers):
            list(Unpacked(stored, watched=twice))


def test_gzip_with_too_many_members_is_not_reported_as_damaged():
    with pytest.raises(TooManyMembers):
        list(Unpacked([gzip.compress(b"7") * 3], max_members=2))
