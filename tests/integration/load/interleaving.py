"""Programs run side by side, but only one at a time, and the test says which makes its next AWS call.

A program is stopped before each call to its clients. So the test chooses an order of calls, and everything that
processes side by side can do to each other through AWS is such an order.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError


class Dies(BaseException):
    """The process dies: no later call of it reaches AWS, and no handler of errors keeps it alive."""


class Fault(Enum):
    """What may go wrong at a call to AWS."""

    DIES_BEFORE = "dies before"
    """The process dies, and the call was not made."""
    DIES_AFTER = "dies after"
    """The process dies, and the call took effect."""
    REFUSED = "is refused"
    """AWS answers with an error, also to all retries of the client."""
    UNANSWERED = "gets no answer from"
    """The call takes effect, and the client gives up waiting for an answer."""
    REPEATED = "repeats"
    """The call takes effect, its answer is lost, and the client makes it again."""


class Process:
    """A thread that stops before each call of its clients until it is told to go on.

    Attributes:
        result: what `main` returned, once it is over.
        error: what ended `main` otherwise: Dies, or an error that it raised.
    """

    def __init__(self, main: Callable[[], object], heard: Callable[[str], None] = lambda _: None) -> None:
        """`heard` is told of every call by name."""
        self.is_over = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._main = main
        self._heard = heard
        self._calls_left = 0
        self._fault: Fault | None = None
        self._is_killed = False
        # Bare locks: they change hands some hundred thousand times.
        self._may_go = threading.Lock()
        self._has_stopped = threading.Lock()
        self._may_go.acquire()
        self._has_stopped.acquire()
        self._thread: threading.Thread | None = None

    def go(self, calls: int, fault: Fault | None = None) -> None:
        """Let it make that many calls, meet the fault at the one after them, and stop before another, or be over."""
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
        """Let it die where it stands."""
        self._is_killed = True
        if self._thread is None:
            self.is_over, self.error = True, Dies()
        elif not self.is_over:
            self.go(0)

    def client(self, inner: Any) -> "Client":
        """A client that stops this process before each call to another."""
        return Client(self, inner)

    def call(self, name: str, operation: Callable[[], Any]) -> Any:
        """Make a call to AWS when it is this process's turn."""
        if self._calls_left == 0 and self._fault is None and not self._is_killed:
            self._has_stopped.release()
            self._may_go.acquire()
        if self._is_killed:
            raise Dies
        if self._calls_left:
            self._calls_left -= 1
            self._heard(name)
            return operation()
        if self._fault is None:  # told to go on without a call: it only came to this one
            return self.call(name, operation)
        fault, self._fault = self._fault, None
        self._heard(f"{fault.value} {name}")
        return self._meet(fault, name, operation)

    def _meet(self, fault: Fault, name: str, operation: Callable[[], Any]) -> Any:
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
        except BaseException as error:  # noqa: BLE001 - whoever started it looks at the end it took
            self.error = error
        self.is_over = True
        self._has_stopped.release()


class Client:
    """An AWS client in the hands of a process."""

    def __init__(self, process: Process, inner: Any) -> None:
        self._process = process
        self._inner = inner

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        target = getattr(self._inner, operation)

        def call(*places: Any, **arguments: Any) -> Any:
            return self._process.call(operation, lambda: target(*places, **arguments))

        return call

    def get_paginator(self, operation: str) -> "Client":
        """Pages are asked for like anything else: all with one call."""
        return Client(self._process, self._inner.get_paginator(operation))


class Program(Process):
    """A process whose only client it is itself.

    Args:
        main: takes the client; is repeated from the start after each death, as a retried job is.
        client: what the calls go to.
        deaths: at which call (from 1) the first try dies, the second, and so on; the last try lives.
    """

    def __init__(self, main: Callable[[Any], object], client: Any, deaths: Iterable[int] = ()) -> None:
        super().__init__(self._tries)
        self._try = main
        self._client = client
        self._deaths = list(deaths)
        self._calls_to_live = -1
        self._has_begun = False

    def step(self) -> None:
        """Let it make its next call (at first: come to it) and go on until it stops before another, or is over."""
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
