"""Locks for methods of moto that are not thread-safe."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def under_lock(owner: type, names: tuple[str, ...], lock: AbstractContextManager[bool]) -> None:
    """Replace the owner's methods by ones that hold the lock."""
    for name in names:
        setattr(owner, name, _holding(lock, getattr(owner, name)))


def _holding(lock: AbstractContextManager[bool], method: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(method)
    def holding(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock:
            return method(*args, **kwargs)

    return holding
