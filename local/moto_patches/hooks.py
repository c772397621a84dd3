"""What the server does in place of moto."""

from collections.abc import Callable
from dataclasses import dataclass

from local.loose_types import Json, Moto


@dataclass(frozen=True)
class Hooks:
    """Functions that the patches call."""

    invoke: Callable[[Moto, bytes, Json, dict[str, str]], bytes]
    """Invoke a function: function, body, headers, and the headers of the response, which it sets."""
    deliver: Callable[[Moto, dict[str, Json]], None]
    """Deliver to a rule an event that may match it."""
    publish_object_event: Callable[[str, Moto, str, Moto], None]
    """An object changed: account, a bucket that notifies EventBridge, name of the event, and the key."""
    publish_execution_status: Callable[[Moto], None]
    """An execution started or ended."""
    start_job_run: Callable[[Moto, Moto], None]
    """A run of a Glue job was accepted: job and run."""
    stop_job_run: Callable[[Moto], None]
    """A run of a Glue job was requested to stop."""
