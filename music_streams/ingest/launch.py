"""What an invocation starts: batches of the sources that it took, and executions whose manifest is written."""

from dataclasses import dataclass, field

from music_streams.ingest.batches import Batches, PendingSource, groups
from music_streams.run.executions import Executions
from music_streams.state.run_files import RunFolder


@dataclass
class Launch:
    """Collects while messages are taken; :meth:`go` once at the end."""

    batches: Batches
    executions: Executions
    _taken: dict[str, PendingSource] = field(default_factory=dict)
    _to_start: set[tuple[str, int]] = field(default_factory=set)  # (batch_id, attempt)

    def add(self, taken: PendingSource) -> None:
        """Let a source run with others that were taken; of one that is taken twice the later word counts."""
        self._taken[taken.entry.source.source_id] = taken

    def start(self, batch_id: str, attempt: int) -> None:
        """Let the execution of a manifest that is written begin; one that did already is not harmed."""
        self._to_start.add((batch_id, attempt))

    def go(self) -> None:
        """Bring the sources that were taken to VALID in batches, and start the executions.

        Until the ledger says VALID a crash leaves only claims that expire; after it, only an execution to start.
        """
        for group in groups(self._taken.values()):
            self._to_start |= self.batches.make_valid(group)
        for batch_id, attempt in sorted(self._to_start):
            self.executions.start(RunFolder(self.batches.lake_bucket, batch_id), attempt)
