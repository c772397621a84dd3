"""Items are processed in slices within a function's time."""

import pytest

from music_streams.aws.slices import SLICE, process_slices, time_check


class Context:
    """An invocation with the given remaining times."""

    def __init__(self, *milliseconds: int) -> None:
        self._left = list(milliseconds)

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0)


def test_all_items_are_processed_if_there_is_time():
    done: list[int] = []
    assert process_slices(range(3 * SLICE + 1), done.append, lambda: True) == 0
    assert sorted(done) == list(range(3 * SLICE + 1))


@pytest.mark.parametrize(("count", "left"), [(0, 0), (1, 0), (SLICE, 0), (SLICE + 1, 1), (10_000, 10_000 - SLICE)])
def test_without_time_one_slice_is_processed_so_that_retries_end(count, left):
    done: list[int] = []
    assert process_slices(range(count), done.append, lambda: False) == left
    assert sorted(done) == list(range(count - left))


def test_the_time_is_checked_between_slices():
    granted = iter([True, True, False])
    assert process_slices(range(10 * SLICE), lambda _: None, lambda: next(granted)) == 7 * SLICE


def test_an_error_of_an_item_is_raised():
    def act(item: int) -> None:
        if item == 5:
            raise LookupError(item)

    with pytest.raises(LookupError):
        process_slices(range(10), act, lambda: True)


@pytest.mark.parametrize(("left", "expected"), [(300_000, True), (75_001, True), (75_000, False), (0, False)])
def test_a_quarter_of_the_time_is_kept_in_reserve(left, expected):
    assert time_check(Context(300_000, left))() is expected
