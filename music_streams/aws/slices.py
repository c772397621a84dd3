"""Many concurrent calls to AWS within a function's time, slice by slice; the rest is for the next invocation."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from music_streams.aws.clients import PARALLEL_CALLS

Item = TypeVar("Item")
SLICE = 4 * PARALLEL_CALLS
_RESERVED = 0.25  # share of the time that is left when the work begins; a slice needs less


class Context(Protocol):
    """The part of a Lambda invocation's context that has its remaining time."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""


def time_check(context: Context) -> Callable[[], bool]:
    """Return a function that says whether an invocation has enough time left to begin more work."""
    least = context.get_remaining_time_in_millis() * _RESERVED
    return lambda: context.get_remaining_time_in_millis() > least


def process_slices(items: Sequence[Item], act: Callable[[Item], object], has_time: Callable[[], bool]) -> int:
    """Call `act` for items until all are done or the time is over; at least one slice is done, so that retries end.

    Returns:
        The number of items left.
    """
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        for start in range(0, len(items), SLICE):
            if start and not has_time():
                return len(items) - start
            list(pool.map(act, items[start : start + SLICE]))
    return 0
