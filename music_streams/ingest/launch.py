"""Collects the sources and executions that an invocation of validate starts."""

from dataclasses import dataclass, field

from music_streams.ingest.batches import Batches, PendingSource, groups
from music_streams.run.executions import Executions
from music_streams.state.run_files import RunFolder


@dataclass
class Launcher:
    """Collects sources and executions while messages are processed; call :meth:`start_executions` once at the end."""

    batches: Batches
    executions: Executions
    _pending: dict[str, PendingSource] = field(default_factory=dict)
    _to_start: set[tuple[str, int]] = field(default_factory=set)  # (batch_id, attempt)

    def add(self, pending: PendingSource) -> None:
        """Add a source to the next batches; if it was added before, the later addition replaces the earlier one."""
        self._pending[pending.entry.source.source_id] = pending

    def add_execution(self, batch_id: str, attempt: int) -> None:
        """Add an execution whose manifest is written; a second start of it has no effect."""
        self._to_start.add((batch_id, attempt))

    def start_executions(self) -> None:
        """Change the pending sources to VALID in batches, and start all executions.

        A crash before VALID leaves only claims, which expire. A crash after VALID leaves only executions to start.
        """
        for group in groups(self._pending.values()):
            self._to_start |= self.batches.prepare(group)
        for batch_id, attempt in sorted(self._to_start):
            self.executions.start(RunFolder(self.batches.lake_bucket, batch_id), attempt)
