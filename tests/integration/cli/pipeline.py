"""A simulated pipeline: it receives requests from the arrivals queue and updates the ledger."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import pytest
from typer.testing import CliRunner

from music_streams import clock
from music_streams.forget.progress import ErasureProgress, FileToDelete, write_erased
from music_streams.ingest import s3_events
from music_streams.run.executions import Executions
from music_streams.stack import Stack
from music_streams.state import requests
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action, Forget, Rebuild, SourceRequest
from music_streams.state.run_files import RunFolder, Summary, write_summary
from music_streams_cli import journey, maintenance, reconciliation, runs
from music_streams_cli.app import app
from tests.integration.cli.conftest import MACHINE, put_entry
from tests.permissions.acting import OTHERS

POLLING = (journey, maintenance, reconciliation, runs)  # the modules that poll
COUNTS = {"rows_read": 10, "rows_accepted": 10, "rejected": {}, "days": ["2024-06-25"]}


@dataclass
class Pipeline:
    """Processes requests.

    Attributes:
        ends: the final attributes of entries by file name; by default ARCHIVED with all rows accepted.
        ignored: names of files that do not change.
        executions: the final status of runs without files.
        deleted: by source_id, files that a run deletes whole because it cannot search them.
    """

    stack: Stack
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    executions: str = "SUCCEEDED"
    deleted: dict[str, FileToDelete] = field(default_factory=dict)
    requested: list[Any] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)  # of executions by ARN

    @classmethod
    def begin(cls, stack: Stack, patch: pytest.MonkeyPatch) -> Self:
        """Return a pipeline with two executions, one of which has ended; commands poll at short intervals."""
        made = cls(stack, statuses={f"{MACHINE}:alive-1": "RUNNING", f"{MACHINE}:over-1": "FAILED"})
        patch.setattr(Executions, "status", lambda _, arn: made.statuses.get(arn, ""))
        for module in POLLING:
            patch.setattr(module, "_POLL_SECONDS", 0.01)
        return made

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Process messages within the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self._work, args=(stop,), name=OTHERS)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def operate(self, *args: str, typed: str | None = None, is_asleep: bool = False) -> Any:
        """Run a command line while the pipeline works, or while it is asleep."""
        with nullcontext() if is_asleep else self.at_work():
            return CliRunner().invoke(app, args, prog_name="music-streams", input=typed)

    def _work(self, stop: threading.Event) -> None:
        sqs, url = self.stack.client("sqs"), self.stack.output("ArrivalsQueueUrl")
        while not stop.wait(0.01):
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                self._process(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _process(self, body: str) -> None:
        request = requests.parse(body)
        if isinstance(request, SourceRequest):
            entry = self.stack.ledger.entry(request.source_id)
            assert entry
            self.requested.append((request.action, entry.source.name))
            if entry.attempt == request.attempt:
                self._run(entry, request.action)
        elif isinstance(request, Rebuild | Forget):
            self.requested.append(request)
            folder = RunFolder(self.stack.lake_bucket, request.batch_id)
            days = request.days if isinstance(request, Rebuild) else ["2024-06-25"]
            forgotten = [] if isinstance(request, Rebuild) else ["some source", "another"]
            summary = Summary(request.batch_id, "run", 8, "lake", days, "metrics", {}, forgotten)
            write_summary(self.stack.s3, folder, summary)
            if self.deleted:
                write_erased(self.stack.s3, folder, ErasureProgress(set(self.deleted), self.deleted))
            self.statuses[self.stack.executions.arn(request.batch_id, 1)] = self.executions
        else:
            source = s3_events.source_of(body, self.stack.landing_bucket)
            assert source
            self.requested.append(("event", source.key))
            put_entry(self.stack, source, status="ARCHIVED", updated_at=clock.now(), **COUNTS)

    def _run(self, entry: Entry, action: Action) -> None:
        name = entry.source.name
        if name in self.ignored:
            return
        end = {"status": "RETRACTED"} if action is Action.RETRACT else {"status": "ARCHIVED", **COUNTS}
        kept = {key: value for key, value in asdict(entry).items() if key != "source" and value}
        changed = {"attempt": entry.attempt + 1, "updated_at": clock.now(), "published_at": clock.now(), "reason": ""}
        put_entry(self.stack, entry.source, **(kept | changed | end | self.ends.get(name, {})))
