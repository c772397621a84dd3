"""The version fence in any order of calls, deaths and repeats: no stale value, no unexpected item, nothing missing.

docs/design.md, section 4. However runs interleave, once all have ended the day has the items of the newest version.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music_streams.load import fence
from music_streams.load.items import Provenance
from tests.integration.load.days import DAY, FILES, METRICS, TABLES, TRACK, Version, by_key
from tests.integration.load.interleaving import Program, every_interleaving, interleave, pool_in_order_of
from tests.integration.load.memory_dynamodb import MemoryDynamoDB

A, B, C = "GENRE#a", "GENRE#b", "COUNTRY#c"


@pytest.fixture
def one_call_at_a_time(monkeypatch):
    monkeypatch.setattr(fence, "ThreadPoolExecutor", pool_in_order_of(0))


def version(number: int, *keys: str, removed: Iterable[str] = (), **attributes: str) -> Version:
    return Version(number, frozenset(keys), removed=frozenset(removed), **attributes)


def stored(dynamodb: MemoryDynamoDB) -> list[dict[str, Any]]:
    return by_key(dynamodb.items(METRICS))


ONE_AFTER_ANOTHER = {  # runs, and whether each passes the fence
    "the first": ([version(1, A, B, TRACK)], [True]),
    "a newer one replaces and removes": ([version(1, A, B), version(2, B, C)], [True, True]),
    "an older one comes late": ([version(2, B), version(1, A, B)], [True, False]),
    "a repeat": ([version(1, A, B)] * 3, [True] * 3),
    "the last event goes and stays away": ([version(1, A), version(2), version(1, A)], [True, True, False]),
    "a day that never had an event": ([version(1)], [True]),
    "a new lake, whatever its version": (
        [version(9, A, B, lake_uuid="old"), version(1, B, C, lake_uuid="new")],
        [True, True],
    ),
    "the last listen of a track is removed": ([version(1, A, TRACK), version(2, A, removed=[TRACK])], [True, True]),
    "a removed track that a newer run does not list": (
        [version(1, A, TRACK), version(3, A), version(2, A, removed=[TRACK])],
        [True, True, False],
    ),
    "a removed track that a newer run publishes again": (
        [version(1, A, TRACK), version(3, A, TRACK), version(2, A, removed=[TRACK])],
        [True, True, False],
    ),
}


@pytest.mark.parametrize(("runs", "passes"), ONE_AFTER_ANOTHER.values(), ids=ONE_AFTER_ANOTHER)
def test_after_consecutive_runs_the_day_has_the_items_of_the_last_that_passed(runs, passes):
    dynamodb = MemoryDynamoDB(TABLES)
    assert [run.publish(dynamodb) for run in runs] == passes
    *_, last = (run for run, has_passed in zip(runs, passes, strict=True) if has_passed)
    assert stored(dynamodb) == by_key(last.items())


def test_the_fence_lists_the_written_keys_except_those_of_tracks():
    dynamodb = MemoryDynamoDB(TABLES)
    version(1, A, TRACK).publish(dynamodb)
    version(2, 'GENRE#é, "𝄞"').publish(dynamodb)
    (stored_fence,) = dynamodb.items(FILES)
    assert stored_fence == {
        "source_id": f"FENCE#{DAY}",
        "version": 2,
        "lake_uuid": "lake",
        "updated_at": "2026-11-21T21:03:25.123Z",
        "keys": {f'["{A}", "DAY#{DAY}"]', f'["GENRE#é, \\"𝄞\\"", "DAY#{DAY}"]'},
    }


def test_days_are_independent_of_each_other():
    dynamodb = MemoryDynamoDB(TABLES)
    version(2, A).publish(dynamodb, "2024-06-25")
    version(1, A, B).publish(dynamodb, "2024-06-26")
    version(3).publish(dynamodb, "2024-06-25")
    assert stored(dynamodb) == by_key(version(1, A, B).items("2024-06-26"))


def test_the_versions_of_a_new_lake_are_fenced_like_any(one_call_at_a_time):
    dynamodb = MemoryDynamoDB(TABLES)
    version(9, A, B, lake_uuid="old").publish(dynamodb)
    runs = [version(number, *keys, lake_uuid="new") for number, keys in ((1, [A, C]), (2, [C]))]
    interleave([Program(run.publish, dynamodb) for run in runs], [0, 0, 1, 1, 1, 1, 1, 1])
    assert stored(dynamodb) == version(2, C, lake_uuid="new").items()


def test_of_many_days_only_those_that_no_newer_run_has_are_published():
    dynamodb = MemoryDynamoDB(TABLES)
    days = [f"2024-07-{number:02}" for number in range(1, 31)]
    newer = days[::3]
    for day in newer:
        version(2, B).publish(dynamodb, day)
    provenance = Provenance(1, "lake", "batch", "2026-11-21T21:03:25.123Z")
    publisher = fence.DayPublisher(dynamodb, FILES, METRICS, provenance)
    older = version(1, A)
    published = publisher.publish(fence.DayToPublish(day, older.items(day)) for day in days)
    assert published == [day for day in days if day not in newer]
    expected = [item for day in days for item in (version(2, B) if day in newer else older).items(day)]
    assert stored(dynamodb) == by_key(expected)


PAIRS = {
    "a key is removed": (version(1, A, B), version(2, A)),
    "a key is added": (version(1, A), version(2, A, B)),
    "all keys change": (version(1, A), version(2, B)),
    "all keys are removed": (version(1, A, B), version(2)),
    "a track is removed": (version(1, A, TRACK), version(2, A, removed=[TRACK])),
    "everything is removed": (version(1, A, TRACK), version(2, removed=[TRACK])),
    "one version of two runs": (version(1, A, B, batch_id="one"), version(1, A, B, batch_id="other")),
}


@pytest.mark.parametrize(("older", "newer"), PAIRS.values(), ids=PAIRS)
def test_in_every_order_of_calls_of_two_runs_the_newer_has_the_day(one_call_at_a_time, older, newer):
    dynamodb = MemoryDynamoDB(TABLES)

    def make() -> list[Program]:
        dynamodb.__init__(TABLES)  # type: ignore[misc]  # the same initial state
        return [Program(older.publish, dynamodb), Program(newer.publish, dynamodb)]

    def check() -> None:
        assert stored(dynamodb) == by_key(newer.items())

    assert every_interleaving(make, check) > 20


@pytest.mark.parametrize("death", range(1, 5))
@pytest.mark.parametrize("who_dies", [0, 1], ids=["the older dies", "the newer dies"])
def test_in_every_order_of_calls_the_newer_has_the_day_if_a_run_dies_and_is_repeated(
    one_call_at_a_time, death, who_dies
):
    dynamodb = MemoryDynamoDB(TABLES)
    older, newer = version(1, A), version(2, TRACK)

    def make() -> list[Program]:
        dynamodb.__init__(TABLES)  # type: ignore[misc]  # the same initial state
        deaths: list[list[int]] = [[], []]
        deaths[who_dies] = [death]
        return [Program(run.publish, dynamodb, dies) for run, dies in zip((older, newer), deaths, strict=True)]

    def check() -> None:
        assert stored(dynamodb) == newer.items()

    assert every_interleaving(make, check) > 20


KEYS = st.frozensets(st.sampled_from([A, B, C, TRACK]))


def history_of(of: list[frozenset[str]]) -> list[Version]:
    """Return versions with these keys; each removes the track if only the version before had it."""
    before = [frozenset[str](), *of]
    return [Version(number, keys, removed=(before[number - 1] - keys) & {TRACK}) for number, keys in enumerate(of, 1)]


VERSIONS = st.lists(KEYS, min_size=2, max_size=4).map(history_of)
DEATHS = st.lists(st.integers(1, 9), max_size=2)


@st.composite
def histories(draw):
    """Generate runs of some versions including the newest, in any order, with the calls at which their tries die."""
    versions = draw(VERSIONS)
    numbers = draw(st.lists(st.integers(0, len(versions) - 1), max_size=3))
    # The newest version is published in the end; each version that removes a track must run to delete its item.
    needed = [version for version in versions if version.removed or version is versions[-1]]
    runs = draw(st.permutations([*needed, *(versions[n] for n in numbers)]))
    return versions[-1], [(run, draw(DEATHS)) for run in runs]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.lists(st.integers(0, 3), max_size=60), st.integers(0, 50))
def test_in_any_order_of_calls_of_many_runs_with_deaths_the_newest_has_the_day(monkeypatch, history, choices, seed):
    monkeypatch.setattr(fence, "ThreadPoolExecutor", pool_in_order_of(seed))
    newest, runs = history
    dynamodb = MemoryDynamoDB(TABLES)
    interleave([Program(run.publish, dynamodb, deaths) for run, deaths in runs], choices)
    assert stored(dynamodb) == by_key(newest.items())
    (stored_fence,) = dynamodb.items(FILES)
    assert stored_fence["version"] == newest.number
