"""Many calls to AWS within a function's time: side by side, slice by slice, the rest in the next invocation."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from music_streams.aws.clients import PARALLEL_CALLS

Item = TypeVar("Item")
SLICE = 4 * PARALLEL_CALLS
_LEAST_TIME = 0.25  # of a function's time; a slice takes less


class Context(Protocol):
    """The part of a Lambda invocation's context that tells its time."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is cut off."""


def has_time(context: Context) -> Callable[[], bool]:
    """Tells, whenever it is asked, whether enough is left of an invocation's time to begin more work."""
    least = context.get_remaining_time_in_millis() * _LEAST_TIME
    return lambda: context.get_remaining_time_in_millis() > least


def process_slices(items: Sequence[Item], act: Callable[[Item], object], has_time: Callable[[], bool]) -> int:
    """Act on items until all are done or the time is out; one slice is done in any case, so that repeats end.

    Returns:
        How many are left.
    """
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        for start in range(0, len(items), SLICE):
            if start and not has_time():
                return len(items) - start
            list(pool.map(act, items[start : start + SLICE]))
    return 0
