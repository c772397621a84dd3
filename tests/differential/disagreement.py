"""Minimizes a file on which two implementations differ, so that the cause is visible."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.differential.reading import DirtyFile, uncompressed

Differ = Callable[[Sequence[DirtyFile]], list[DirtyFile]]
"""Returns those of the files on which the implementations differ."""


def smallest(file: DirtyFile, differ: Differ) -> DirtyFile:
    """Return the smallest version of a file on which the implementations still differ.

    All candidates of a round are one call of `differ`, because a call is slow and an additional file is not.
    """
    plain = replace(file, content=uncompressed(file.content)[0])
    best = next(iter(differ([plain])), file)
    while smaller := differ([replace(best, content=content) for content in _pieces_removed(best.content)]):
        best = min(smaller, key=lambda candidate: len(candidate.content))
    return best


def _pieces_removed(content: bytes) -> Iterator[bytes]:
    """Yield the content without one of its lines, and without a range of half, a quarter … of its bytes."""
    lines = content.splitlines(keepends=True)
    yield from (b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines)) if len(lines) > 1)
    size = len(content) // 2
    while size and len(content) // size <= 256:
        yield from (content[:at] + content[at + size :] for at in range(0, len(content), size))
        size //= 2
