"""One thread at a time through methods that moto wrote for one thread."""

import functools
from collections.abc import Callable
from threading import RLock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Lock = type(RLock())


def under_lock(owner: type, names: tuple[str, ...], lock: Lock) -> None:  # type: ignore[valid-type]  # see Lock
    """Replaces the owner's methods by ones that hold the lock."""
    for name in names:
        setattr(owner, name, _holding(lock, getattr(owner, name)))


def _holding(lock: Lock, method: Callable[P, R]) -> Callable[P, R]:  # type: ignore[valid-type]  # see Lock
    @functools.wraps(method)
    def holding(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock:  # type: ignore[attr-defined]  # see Lock
            return method(*args, **kwargs)

    return holding
