"""The pipeline that the dashboard reads."""

import time
from collections.abc import Callable
from threading import Lock

from music_streams.stack import Stack

_KEPT_SECONDS = 60


class Pipeline:
    """Finds the stack, and again after a while: a local cloud may have been restarted at another address."""

    def __init__(self, find: Callable[[], Stack]) -> None:
        self._find = find
        self._lock = Lock()
        self._stack: Stack | None = None
        self._found_at = 0.0

    def stack(self) -> Stack:
        """Return the stack. Raises NoPipeline if there is none."""
        with self._lock:
            if self._stack is None or time.monotonic() - self._found_at > _KEPT_SECONDS:
                stack = self._find()
                # Create the clients here, in one thread: botocore's sessions are not thread-safe.
                _ = stack.s3, stack.ledger, stack.executions, stack.reader
                self._stack, self._found_at = stack, time.monotonic()
            return self._stack

    def drop_cached_stack(self) -> None:
        """Find the stack again at the next request, because it did not answer."""
        with self._lock:
            self._stack = None
