"""Files in pieces, compressed or damaged, and the memory that reading one needs."""

import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.differential import strategies

MIB = 1024 * 1024
Result = TypeVar("Result")


def pieces(data: bytes, size: int = MIB) -> list[bytes]:
    """Split bytes into chunks of a size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def packed(parts: Iterable[bytes]) -> bytes:
    """Compress bytes into a gzip file, without all of them in memory."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*map(packer.compress, parts), packer.flush()])


def damaged(content: bytes, seed: int) -> bytes:
    """Damage a gzip file in a way that the seed determines."""
    choose = iter(range(seed, seed + 10**6))
    return strategies.damaged_gzip(lambda count: (next(choose) * 7919) % count, content)


def with_peak_memory(read: Callable[[], Result]) -> tuple[Result, int]:
    """Return a reader's result and the peak of the bytes that it allocated."""
    tracemalloc.start()
    try:
        return read(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
