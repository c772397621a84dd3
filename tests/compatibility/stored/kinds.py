"""Kinds of stored documents, and those that are objects in S3."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from music_streams import clock
from music_streams.state.run_files import RunFolder
from tests.compatibility.world import LAKE, Document, World


@dataclass(frozen=True)
class Stored:
    """A kind of stored document.

    Attributes:
        name: the name of its fixture.
        write: makes the product store one in an empty world; returns the document.
        read: makes the product read a document in an empty world; returns the product's value.
        means: the product's value of the fixture.
        older: by the path of a field that older versions did not write, the value of the fixture without it.
    """

    name: str
    write: Callable[[World], Document]
    read: Callable[[World, Document], object]
    means: object
    older: dict[str, object] = field(default_factory=dict)


@contextmanager
def steady_clock() -> Iterator[None]:
    """Make each reading of the product's clock one second later than the previous one."""
    ticks = itertools.count(1)
    with patch.object(clock, "now", lambda: at_tick(next(ticks))):
        yield


def at_tick(tick: int) -> str:
    """Return the n-th reading of the steady clock."""
    return f"2024-06-26T08:10:{tick:02}.000Z"


def in_s3(
    name: str,
    act: Callable[[World], object],
    ending: str,
    read: Callable[[Any, str], object],
    means: object,
    older: dict[str, object] | None = None,
    bucket: str = LAKE,
) -> Stored:
    """Return a kind: after `act`, the one object whose key has this ending; `read` gets S3's client and the key."""

    def write(world: World) -> Document:
        act(world)
        return world.object(ending, bucket)

    def read_back(world: World, document: Document) -> object:
        world.put_object(document)
        return read(world.s3, document["key"])

    return Stored(name, write, read_back, means, older or {})


def of_run(reader: Callable[[Any, RunFolder], object]) -> Callable[[Any, str], object]:
    """Return a `read` for :func:`in_s3` that passes the run's folder to the product's reader."""
    return lambda s3, key: reader(s3, RunFolder(LAKE, key.split("/")[1]))
