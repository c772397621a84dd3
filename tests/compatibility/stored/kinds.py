"""What a kind of stored thing is, and the kinds that are objects in S3."""

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
    """A kind of thing that is stored.

    Attributes:
        name: of its fixture.
        write: lets the product store one, in an empty world; answers what is stored.
        read: lets the product read what is stored, in an empty world; answers what it means to the product.
        means: what the fixture means.
        older: what the fixture means without a field that the product did not always write, by the field's path.
    """

    name: str
    write: Callable[[World], Document]
    read: Callable[[World, Document], object]
    means: object
    older: dict[str, object] = field(default_factory=dict)


@contextmanager
def steady_clock() -> Iterator[None]:
    """The product's clock goes on by a second each time that it is asked."""
    ticks = itertools.count(1)
    with patch.object(clock, "now", lambda: moment(next(ticks))):
        yield


def moment(tick: int) -> str:
    """What the steady clock says when it is asked for the n-th time."""
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
    """A kind that is the one object with this ending of its key after an act; `read` gets S3's client and the key."""

    def write(world: World) -> Document:
        act(world)
        return world.object(ending, bucket)

    def read_back(world: World, document: Document) -> object:
        world.put_object(document)
        return read(world.s3, document["key"])

    return Stored(name, write, read_back, means, older or {})


def of_run(reader: Callable[[Any, RunFolder], object]) -> Callable[[Any, str], object]:
    """Read an object of a run's folder with the product's reader, which gets the folder."""
    return lambda s3, key: reader(s3, RunFolder(LAKE, key.split("/")[1]))
