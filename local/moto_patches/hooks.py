"""What the server does in moto's place."""

from typing import Protocol

from local.loose_types import Json, Moto


class Hooks(Protocol):
    """Called by the patches."""

    def invoke(self, function: Moto, body: bytes, headers: Moto, response_headers: dict[str, str]) -> bytes:
        """Lambda Invoke."""

    def deliver(self, rule: Moto, event: dict[str, Json]) -> None:
        """An event that may match the rule."""

    def object_event(self, account: str, bucket: Moto, event_name: str, key: Moto) -> None:
        """Something happened to an object of a bucket that notifies EventBridge."""

    def execution_changed(self, execution: Moto) -> None:
        """An execution started or ended."""

    def start_job_run(self, job: Moto, run: Moto) -> None:
        """A Glue run was accepted."""

    def stop_job_run(self, run: Moto) -> None:
        """A Glue run shall stop."""
