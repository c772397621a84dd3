"""The uncompressed bytes of a gzip file (RFC 1952), in bounded memory and linear time even for malicious files."""

import zlib
from collections.abc import Iterable, Iterator

from music_streams.errors import TooManyMembers

MAX_MEMBERS = 100_000  # bgzip writes 16,000 for 1 GiB
CHUNK_BYTES = 1024 * 1024
WBITS = 31  # a gzip member with the largest window
_FIRST_PIECE_BYTES = 256
_MAX_PIECE_BYTES = 64 * 1024


def gunzip(chunks: Iterable[bytes], max_members: int = MAX_MEMBERS) -> Iterator[bytes]:
    """Decompress a gzip file of one or more members, in time linear in its stored and uncompressed bytes.

    zlib copies the part of its input that follows the end of a member. The first piece of a member is therefore small,
    and each next one is twice as large, up to 64 KiB: no more is copied at a member's end than about its stored size.

    Args:
        chunks: the stored bytes, in pieces of any size.
        max_members: how many members the file may have.

    Yields:
        Chunks of at most 1 MiB. Some are empty, so that a caller can check the time even if a file contains nothing:
        at least one, possibly empty, for every member and for every stored chunk.

    Raises:
        zlib.error: the file is damaged; all bytes that can be recovered were yielded before.
        TooManyMembers: there are more; all bytes of the first `max_members` were yielded before.
    """
    member, members, size = zlib.decompressobj(WBITS), 1, _FIRST_PIECE_BYTES
    for chunk in chunks:
        stored, start = memoryview(chunk), 0
        while start < len(stored):
            if member.eof:
                if members == max_members:
                    raise TooManyMembers(f"the gzip file has more than {max_members:,} members")
                member, members, size = zlib.decompressobj(WBITS), members + 1, _FIRST_PIECE_BYTES
            piece = stored[start : start + size]
            yield from _inflated(member, piece)
            start += len(piece) - len(member.unused_data)
            size = min(2 * size, _MAX_PIECE_BYTES)
        if not stored:
            yield b""
    if not member.eof:
        raise zlib.error("the last member is not complete")


def _inflated(member: "zlib._Decompress", piece: "bytes | memoryview") -> Iterator[bytes]:
    """Yield the uncompressed bytes of a piece of a member."""
    is_pending = True
    while is_pending:
        before = member.copy()
        try:
            out = member.decompress(piece, CHUNK_BYTES)
        except zlib.error:
            # The failed call returns nothing of what precedes the damage: read that byte by byte.
            for byte in piece:
                yield before.decompress(bytes([byte]))
            raise
        yield out
        piece = member.unconsumed_tail
        is_pending = not member.eof and (bool(piece) or len(out) == CHUNK_BYTES)
