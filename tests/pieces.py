"""Files as a reader gets them, in pieces, packed or damaged, and the memory that reading one takes."""

import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.differential import strategies

MIB = 1024 * 1024
Result = TypeVar("Result")


def pieces(data: bytes, size: int = MIB) -> list[bytes]:
    """Bytes in chunks of a size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def packed(parts: Iterable[bytes]) -> bytes:
    """The gzip file of many bytes, which are never there at once."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*map(packer.compress, parts), packer.flush()])


def damaged(content: bytes, seed: int) -> bytes:
    """A gzip file with damage of the seed's choice."""
    choose = iter(range(seed, seed + 10**6))
    return strategies.damaged_gzip(lambda count: (next(choose) * 7919) % count, content)


def with_peak_memory(read: Callable[[], Result]) -> tuple[Result, int]:
    """What a reader answers, and the bytes that it held at once at the most."""
    tracemalloc.start()
    try:
        return read(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
