"""A run on its way through the steps of the state machine; of its jobs only what they leave behind."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from music_streams.run.archive import archive_sources
from music_streams.run.claim import Claim, claim_sources
from music_streams.state.ledger import Entry
from music_streams.state.run_files import RunFolder, SourceOutcome, Summary, read_claimed, read_manifest, write_result
from music_streams.state.sources import Source, execution_name
from tests.integration.domain.world import LAKE, World, always

DAY = "2024-06-25"
RUN_ID = "jr_1"
ACCEPTED = SourceOutcome(10, 8, {"unknown_track": 2}, [DAY])
TOO_BAD = SourceOutcome(10, 0, {"bad_user_id": 7, "duplicate": 1}, [], "too_many_bad_rows")
UNREADABLE = SourceOutcome(0, 0, {}, [], "not_csv")


@dataclass
class Run:
    """One attempt at a batch."""

    world: World
    folder: RunFolder
    attempt: int = 1
    sources: tuple[Source, ...] = ()

    @classmethod
    def of(cls, world: World, *sources: Source) -> "Run":
        """The first attempt at sources that are VALID, without an execution."""
        return cls(world, world.batch(*sources), sources=sources)

    @classmethod
    def with_results(cls, world: World, *outcomes: SourceOutcome) -> "Run":
        """The first attempt at a new file for each outcome, its jobs done."""
        run = cls.of(world, *(world.upload() for _ in outcomes)).claimed()
        run.finish_jobs({source.source_id: outcome for source, outcome in zip(run.sources, outcomes, strict=True)})
        return run

    @classmethod
    def holding(cls, world: World, source: Source) -> "Run":
        """The attempt that a source's entry names."""
        entry = world.entry(source)
        return cls(world, RunFolder(LAKE, entry.batch_id), entry.attempt)

    @property
    def name(self) -> str:
        return execution_name(self.folder.batch_id, self.attempt)

    @property
    def arn(self) -> str:
        return self.world.execution_arn(self.name)

    @property
    def claimed_ids(self) -> list[str]:
        """The sources that its later steps take as its own."""
        return read_claimed(self.world.s3, self.folder, self.name).source_ids

    @property
    def entries(self) -> list[Entry]:
        return list(self.world.ledger.entries(read_manifest(self.world.s3, self.folder).source_ids).values())

    def start(self) -> "Run":
        """Begin its execution; validate does so otherwise."""
        self.world.state_machine.start(self.folder, self.attempt)
        return self

    def end(self) -> None:
        """End its execution, however it stands; nothing records that."""
        self.world.end_execution(self.name)

    def claim(self, has_time: Any = always) -> Claim:
        return claim_sources(self.world.s3, self.world.ledger, self.folder.manifest_uri, self.arn, has_time)

    def claimed(self) -> "Run":
        self.claim()
        return self

    def finish_jobs(
        self, outcomes: dict[str, SourceOutcome] | None = None, run_id: str = RUN_ID, **changes: Any
    ) -> Summary:
        """What both jobs leave when they are done; `outcomes` by source_id, ACCEPTED of those that are not named.

        `changes` are of the summary.
        """
        sources = {source_id: (outcomes or {}).get(source_id, ACCEPTED) for source_id in self.claimed_ids}
        summary = Summary(self.folder.batch_id, self.name, 7, "uuid", [DAY], f"metrics/{run_id}", sources)
        summary = replace(summary, **changes)
        write_result(self.world.s3, self.folder, run_id, summary)
        return summary

    def settle(self, has_time: Any = always, job_runs: Sequence[Mapping[str, Any]] = ()) -> int:
        uri = self.folder.manifest_uri
        return self.world.settlement.settle(uri, self.arn, RUN_ID, has_time, job_runs)

    def archive(self, has_time: Any = always) -> int:
        return archive_sources(self.world.s3, self.world.ledger, self.folder.manifest_uri, self.arn, has_time)

    def go(self, **outcomes: SourceOutcome) -> None:
        """The whole way, from the claim to the end of its execution."""
        self.claim()
        self.finish_jobs(outcomes)
        self.settle()
        self.archive()
        if self.name in self.world.executions():
            self.end()

    def failure(self, **changes: Any) -> dict[str, Any]:
        """The detail of the status-change event when it ends without success."""
        return {
            "executionArn": self.arn,
            "stateMachineArn": self.world.state_machine_arn,
            "name": self.name,
            "status": "FAILED",
            "input": json.dumps({"manifest": self.folder.manifest_uri}),
            "error": "States.TaskFailed",
            "cause": "the job ended with 1",
            **changes,
        }

    def fail(self, **changes: Any) -> int:
        """Record that it ended without success."""
        return self.world.failure_path.record(self.failure(**changes), always)
