"""Runs programs concurrently but one at a time: the test chooses which one makes its next AWS call.

A program stops before each call of its clients. So the test chooses the order of all calls, and every way in which
concurrent processes can affect each other through AWS is such an order.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError


class Dies(BaseException):
    """The process dies: none of its later calls reaches AWS, and no error handler keeps it alive."""


class Fault(Enum):
    """A fault of a call to AWS."""

    DIES_BEFORE = "dies before"
    """The process dies, and the call was not made."""
    DIES_AFTER = "dies after"
    """The process dies, and the call took effect."""
    REFUSED = "is refused"
    """AWS returns an error, also to all retries of the client."""
    UNANSWERED = "gets no answer from"
    """The call takes effect, and the client times out."""
    REPEATED = "repeats"
    """The call takes effect, its response is lost, and the client retries it."""


class Process:
    """A thread that stops before each call of its clients until :meth:`go`.

    Attributes:
        result: what `main` returned.
        error: what `main` raised: Dies, or an error.
    """

    def __init__(self, main: Callable[[], object], on_call: Callable[[str], None] = lambda _: None) -> None:
        """`on_call` receives the name of every call."""
        self.is_over = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._main = main
        self._on_call = on_call
        self._calls_left = 0
        self._fault: Fault | None = None
        self._is_killed = False
        # Plain locks for speed: they are acquired some hundred thousand times.
        self._may_go = threading.Lock()
        self._has_stopped = threading.Lock()
        self._may_go.acquire()
        self._has_stopped.acquire()
        self._thread: threading.Thread | None = None

    def go(self, calls: int, fault: Fault | None = None) -> None:
        """Let it make so many calls, inject the fault into the next one, and stop it before another or at its end."""
        self._calls_left, self._fault = calls, fault
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._may_go.release()
        self._has_stopped.acquire()
        if self.is_over:
            self._thread.join()

    def kill(self) -> None:
        """Let it die at its current call."""
        self._is_killed = True
        if self._thread is None:
            self.is_over, self.error = True, Dies()
        elif not self.is_over:
            self.go(0)

    def client(self, inner: Any) -> "Client":
        """Return a client that stops this process before each call of another client."""
        return Client(self, inner)

    def call(self, name: str, operation: Callable[[], Any]) -> Any:
        """Wait for this process's turn, then make the call."""
        if self._calls_left == 0 and self._fault is None and not self._is_killed:
            self._has_stopped.release()
            self._may_go.acquire()
        if self._is_killed:
            raise Dies
        if self._calls_left:
            self._calls_left -= 1
            self._on_call(name)
            return operation()
        if self._fault is None:  # go(0): run only up to this call
            return self.call(name, operation)
        fault, self._fault = self._fault, None
        self._on_call(f"{fault.value} {name}")
        return self._inject(fault, name, operation)

    def _inject(self, fault: Fault, name: str, operation: Callable[[], Any]) -> Any:
        if fault in {Fault.DIES_AFTER, Fault.UNANSWERED, Fault.REPEATED}:
            with contextlib.suppress(ClientError):
                operation()
        if fault in {Fault.DIES_BEFORE, Fault.DIES_AFTER}:
            self._is_killed = True
            raise Dies
        if fault is Fault.REPEATED:
            return operation()
        raise ClientError({"Error": {"Code": "RequestTimeout", "Message": fault.value}}, name)

    def _run(self) -> None:
        try:
            self.result = self._main()
        except BaseException as error:  # noqa: BLE001 - the test examines self.error
            self.error = error
        self.is_over = True
        self._has_stopped.release()


class Client:
    """An AWS client of a process."""

    def __init__(self, process: Process, inner: Any) -> None:
        self._process = process
        self._inner = inner

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        target = getattr(self._inner, operation)

        def call(*places: Any, **arguments: Any) -> Any:
            return self._process.call(operation, lambda: target(*places, **arguments))

        return call

    def get_paginator(self, operation: str) -> "Client":
        """Return a paginator that requests all pages with one call of the process."""
        return Client(self._process, self._inner.get_paginator(operation))


class Program(Process):
    """A process that is also its only client.

    Args:
        main: receives the client; starts again after each death, like a retried job.
        client: receives the calls.
        deaths: the call (from 1) at which the first try dies, the second, and so on; the last try succeeds.
    """

    def __init__(self, main: Callable[[Any], object], client: Any, deaths: Iterable[int] = ()) -> None:
        super().__init__(self._tries)
        self._try = main
        self._client = client
        self._deaths = list(deaths)
        self._calls_to_live = -1
        self._has_begun = False

    def step(self) -> None:
        """Let it make its next call (the first time: reach it), and run until the following call or its end."""
        self.go(1 if self._has_begun else 0)
        self._has_begun = True
        if self.error:
            raise self.error

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            return self.call(operation, lambda: self._live(operation, arguments))

        return call

    def _tries(self) -> None:
        for death in self._deaths:
            self._calls_to_live = death - 1
            with contextlib.suppress(Dies):
                self._try(self)
        self._calls_to_live = -1
        self._try(self)

    def _live(self, operation: str, arguments: dict[str, Any]) -> Any:
        if self._calls_to_live == 0:
            raise Dies
        self._calls_to_live -= 1
        return getattr(self._client, operation)(**arguments)


def interleave(programs: list[Program], choices: Iterable[int]) -> list[int]:
    """Run programs to their ends, a call at a time: each choice selects one of those that still run.

    After the last choice the first one that still runs continues.

    Returns:
        The number of programs from which each choice selected.
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
        make: returns the programs, with the same initial state each time.
        check: asserts what must hold at each end.

    Returns:
        The number of orders.
    """
    choices: list[int] = []
    for count in range(1, 100_000):
        widths = interleave(make(), choices)
        check()
        choices += [0] * (len(widths) - len(choices))
        # Count to the next order like an odometer whose digits have these widths.
        while choices and choices[-1] + 1 >= widths[len(choices) - 1]:
            choices.pop()
        if not choices:
            return count
        choices[-1] += 1
    raise AssertionError("too many orders to try them all")


def pool_in_order_of(seed: int) -> type:
    """Return a replacement of ThreadPoolExecutor that makes one call after another, in an order shuffled by the seed.

    Concurrent calls of a pool may take effect in any order; each is a single call to AWS.
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
