"""What the server does in moto's place."""

from collections.abc import Callable
from dataclasses import dataclass

from local.loose_types import Json, Moto


@dataclass(frozen=True)
class Hooks:
    """Called by the patches."""

    invoke: Callable[[Moto, bytes, Json, dict[str, str]], bytes]
    """Lambda Invoke: function, body, headers and the headers of the response, which it fills."""
    deliver: Callable[[Moto, dict[str, Json]], None]
    """A rule and an event that may match it."""
    object_event: Callable[[str, Moto, str, Moto], None]
    """Something happened to an object: account, a bucket that notifies EventBridge, name of the event, and the key."""
    execution_changed: Callable[[Moto], None]
    """An execution started or ended."""
    start_job_run: Callable[[Moto, Moto], None]
    """A Glue run of a job was accepted."""
    stop_job_run: Callable[[Moto], None]
    """A Glue run shall stop."""
