"""Programs run side by side, but only one at a time, and the test says which makes its next AWS call.

A program is stopped before each call to its client. So the test chooses an order of calls, and everything that
processes side by side can do to each other through DynamoDB is such an order.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any


class Dies(Exception):
    """The process dies: no later call of it reaches AWS."""


class Program:
    """A thread that stops before each call of its client.

    Args:
        main: takes the client; is repeated from the start after each death, as a retried job is.
        client: what the calls go to.
        deaths: at which call (from 1) the first try dies, the second, and so on; the last try lives.
    """

    def __init__(self, main: Callable[[Any], object], client: Any, deaths: Iterable[int] = ()) -> None:
        self._main = main
        self._client = client
        self._deaths = list(deaths)
        self._calls_left = 0
        self._may_go = threading.Semaphore(0)
        self._has_stopped = threading.Semaphore(0)
        self._error: BaseException | None = None
        self.is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it make its next call and go on until it stops before another, or is over."""
        self._may_go.release()
        self._has_stopped.acquire()
        if self.is_over:
            self._thread.join()
        if self._error:
            raise self._error

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self._stop()
            if self._calls_left == 0:
                raise Dies
            self._calls_left -= 1
            return getattr(self._client, operation)(**arguments)

        return call

    def _run(self) -> None:
        self._may_go.acquire()
        try:
            for death in self._deaths:
                self._calls_left = death - 1
                with contextlib.suppress(Dies):
                    self._main(self)
            self._calls_left = -1
            self._main(self)
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self._error = error
        self.is_over = True
        self._has_stopped.release()

    def _stop(self) -> None:
        self._has_stopped.release()
        self._may_go.acquire()


def interleave(programs: list[Program], choices: Iterable[int]) -> list[int]:
    """Run programs to their ends, a call at a time: each choice picks one of those that are not over.

    Where the choices end the first that is not over goes on.

    Returns:
        Of how many programs each choice was one.
    """
    remaining = iter(choices)
    widths = []
    while active := [program for program in programs if not program.is_over]:
        widths.append(len(active))
        active[next(remaining, 0) % len(active)].step()
    return widths


def every_interleaving(make: Callable[[], list[Program]], check: Callable[[], None]) -> int:
    """Run programs in every order of their calls.

    Args:
        make: the programs, from the same start each time.
        check: what must hold at each end.

    Returns:
        How many orders there were.
    """
    choices: list[int] = []
    for count in range(1, 100_000):
        widths = interleave(make(), choices)
        check()
        choices += [0] * (len(widths) - len(choices))
        # The next order: like an odometer whose digits have these widths.
        while choices and choices[-1] + 1 >= widths[len(choices) - 1]:
            choices.pop()
        if not choices:
            return count
        choices[-1] += 1
    raise AssertionError("too many orders to try them all")


def pool_in_order_of(seed: int) -> type:
    """In the place of ThreadPoolExecutor: one call after another, in an order that the seed shuffles.

    Calls that a pool makes side by side may take effect in any order; each is a single call to AWS.
    """

    class Pool:
        def __init__(self, _workers: int) -> None:
            self._shuffle = random.Random(seed).shuffle

        def __enter__(self) -> "Pool":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def map(self, function: Callable[[Any], object], values: Iterable[Any]) -> list[object]:
            order = sorted(values, key=str)
            self._shuffle(order)
            return [function(value) for value in order]

    return Pool
