"""The uncompressed bytes of a gzip file, in time and memory that no file can drive up (RFC 1952)."""

import zlib
from collections.abc import Iterable, Iterator

from music_streams.errors import TooManyMembers

MAX_MEMBERS = 100_000  # bgzip writes 16 thousand for 1 GiB
CHUNK_BYTES = 1024 * 1024
WBITS = 31  # a gzip member with the largest window
_FIRST_BYTES = 256
_MOST_BYTES = 64 * 1024


def gunzip(chunks: Iterable[bytes], max_members: int = MAX_MEMBERS) -> Iterator[bytes]:
    """Unpack a gzip file of one or more members, in time linear in its stored and unpacked bytes.

    zlib copies whatever of its input lies behind the end of a member. So a member gets little at first and twice as
    much each time that it goes on: what is copied at its end is no more than what it took, and a little.

    Args:
        chunks: the stored bytes, in pieces of any size.
        max_members: how many members the file may have.

    Yields:
        Chunks of at most 1 MiB. Some are empty, so that a caller can look at the clock while a file gives nothing: one
        comes at least for every member and for every stored chunk.

    Raises:
        zlib.error: the file is damaged; all that can be had of it came before.
        TooManyMembers: all bytes of the first `max_members` came before.
    """
    member, members, size = zlib.decompressobj(WBITS), 1, _FIRST_BYTES
    for chunk in chunks:
        stored, start = memoryview(chunk), 0
        while start < len(stored):
            if member.eof:
                if members == max_members:
                    raise TooManyMembers(f"the gzip file has more than {max_members:,} members")
                member, members, size = zlib.decompressobj(WBITS), members + 1, _FIRST_BYTES
            piece = stored[start : start + size]
            yield from _inflated(member, piece)
            start += len(piece) - len(member.unused_data)
            size = min(2 * size, _MOST_BYTES)
        if not stored:
            yield b""
    if not member.eof:
        raise zlib.error("the last member is not complete")


def _inflated(member: "zlib._Decompress", piece: "bytes | memoryview") -> Iterator[bytes]:
    """All that a piece of a member holds."""
    is_pending = True
    while is_pending:
        before = member.copy()
        try:
            out = member.decompress(piece, CHUNK_BYTES)
        except zlib.error:
            # That call gives nothing of what precedes the damage: byte by byte it comes.
            for byte in piece:
                yield before.decompress(bytes([byte]))
            raise
        yield out
        piece = member.unconsumed_tail
        is_pending = not member.eof and (bool(piece) or len(out) == CHUNK_BYTES)
