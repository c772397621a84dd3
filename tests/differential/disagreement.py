"""Makes a file on which two readings differ as small as it can be, so that people see why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.differential.reading import DirtyFile, uncompressed

Differ = Callable[[Sequence[DirtyFile]], list[DirtyFile]]
"""Those of the files on which the readings differ."""


def smallest(file: DirtyFile, differ: Differ) -> DirtyFile:
    """A file like the given one that cannot lose a piece and still be read differently.

    All attempts of a round are one call of `differ`, because a call is slow and a file more is not.
    """
    plain = replace(file, content=uncompressed(file.content)[0])
    best = next(iter(differ([plain])), file)
    while smaller := differ([replace(best, content=content) for content in _pieces_removed(best.content)]):
        best = min(smaller, key=lambda each: len(each.content))
    return best


def _pieces_removed(content: bytes) -> Iterator[bytes]:
    """The content without a line, and without a stretch of half, a quarter … of its bytes."""
    lines = content.splitlines(keepends=True)
    yield from (b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines)) if len(lines) > 1)
    size = len(content) // 2
    while size and len(content) // size <= 256:
        yield from (content[:at] + content[at + size :] for at in range(0, len(content), size))
        size //= 2
