"""What deployed stacks hold is read by today's code, and today's code writes no other fields.

The fixtures were written when the fields got their names. A test that fails here says that an upgrade would break
executions in flight, or lose what was stored before it: give the stored field its old name back; do not change the
fixture. A new kind of stored thing gets its fixture by ``python -m tests.compatibility.make``.
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
NEW_OPTIONAL_FIELDS: dict[str, dict[str, str]] = {}
"""Fields that are written now and that the fixtures lack: by kind, the field as `shapes.fields` has it and the reason.

Older executions, items and messages lack them for ever, so their readers must do without.
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
    """What the writer of a kind stores now."""

    @cache
    def by_name(name: str) -> Document:
        opened_world.clear()
        return BY_NAME[name].write(opened_world)

    return lambda kind: by_name(kind.name)


def test_every_kind_has_a_fixture_and_every_fixture_a_kind():
    assert fixtures.names() == BY_NAME.keys()
    assert len(BY_NAME) == len(EVERYTHING)


@every_kind
def test_what_was_stored_means_the_same_to_the_reader_of_today(kind: Stored, world: World):
    assert kind.read(world, fixtures.read(kind.name)) == kind.means


@every_kind
def test_the_writer_of_today_stores_the_same_fields(kind: Stored, written: Writing, world: World):
    new = NEW_OPTIONAL_FIELDS.get(kind.name, {})
    assert fields(written(kind)) - new.keys() == fields(fixtures.read(kind.name))


@every_kind
def test_the_writer_of_today_stores_the_same_names_as_values(kind: Stored, written: Writing, world: World):
    new = [field.partition(":")[0] for field in NEW_OPTIONAL_FIELDS.get(kind.name, {})]
    stored = {code for code in codes(written(kind)) if code.partition(" = ")[0] not in new}
    assert stored == codes(fixtures.read(kind.name))


@pytest.mark.parametrize(("kind", "path"), OLDER, ids=[f"{kind.name}:{path}" for kind, path in OLDER])
def test_what_was_stored_before_a_field_was_added_is_still_read(kind: Stored, path: str, world: World):
    assert kind.read(world, without(fixtures.read(kind.name), path)) == kind.older[path]
