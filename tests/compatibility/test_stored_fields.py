"""The current code reads what deployed stacks have stored, and writes the same fields.

The fixtures were written when the fields were named. If a test fails here, an upgrade would break executions in flight
or lose stored data: restore the old name of the stored field; do not change the fixture. Create the fixture of a new
kind of stored document with ``python -m tests.compatibility.make``.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.compatibility import fixtures
from tests.compatibility.shapes import codes, fields, without
from tests.compatibility.stored import EVERYTHING
from tests.compatibility.stored.kinds import Stored, steady_clock
from tests.compatibility.world import Document, World, opened

BY_NAME = {kind.name: kind for kind in EVERYTHING}
OLDER = [(kind, path) for kind in EVERYTHING for path in kind.older]
_SONGS_DIGEST = {"content.songs_digest: string": "the songs for which no file is PARKED; '' reads as unknown"}
NEW_OPTIONAL_FIELDS: dict[str, dict[str, str]] = {
    "reports/latest": _SONGS_DIGEST,
    "reports/reconciliation": _SONGS_DIGEST,
    "reports/draft-before": _SONGS_DIGEST,
    "reports/draft-after": _SONGS_DIGEST,
}
"""Fields that the current code writes and the fixtures lack: by kind, the field as in `shapes.fields` and the reason.

Older executions, items and messages never have them, so readers must treat them as optional.
"""

Writing = Callable[[Stored], Document]
every_kind = pytest.mark.parametrize("kind", EVERYTHING, ids=BY_NAME)


@pytest.fixture(scope="module")
def opened_world() -> Iterator[World]:
    with opened() as world:
        yield world


@pytest.fixture
def world(opened_world: World) -> Iterator[World]:
    opened_world.clear()
    with steady_clock():
        yield opened_world


@pytest.fixture(scope="module")
def written(opened_world: World) -> Writing:
    """What the current writer of a kind stores."""

    @cache
    def by_name(name: str) -> Document:
        opened_world.clear()
        return BY_NAME[name].write(opened_world)

    return lambda kind: by_name(kind.name)


def test_every_kind_has_a_fixture_and_every_fixture_a_kind():
    assert fixtures.names() == BY_NAME.keys()
    assert len(BY_NAME) == len(EVERYTHING)


@every_kind
def test_a_stored_document_has_the_same_meaning_to_the_current_reader(kind: Stored, world: World):
    assert kind.read(world, fixtures.read(kind.name)) == kind.means


@every_kind
def test_the_current_writer_stores_the_same_fields(kind: Stored, written: Writing, world: World):
    new = NEW_OPTIONAL_FIELDS.get(kind.name, {})
    assert fields(written(kind)) - new.keys() == fields(fixtures.read(kind.name))


@every_kind
def test_the_current_writer_stores_the_same_codes(kind: Stored, written: Writing, world: World):
    new = [field.partition(":")[0] for field in NEW_OPTIONAL_FIELDS.get(kind.name, {})]
    stored = {code for code in codes(written(kind)) if code.partition(" = ")[0] not in new}
    assert stored == codes(fixtures.read(kind.name))


@pytest.mark.parametrize(("kind", "path"), OLDER, ids=[f"{kind.name}:{path}" for kind, path in OLDER])
def test_a_document_stored_before_a_field_was_added_can_still_be_read(kind: Stored, path: str, world: World):
    assert kind.read(world, without(fixtures.read(kind.name), path)) == kind.older[path]
