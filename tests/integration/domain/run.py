"""Performs the steps of a run; its two jobs are replaced by their results."""

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
TOO_MANY_BAD_ROWS = SourceOutcome(10, 0, {"bad_user_id": 7, "duplicate": 1}, [], "too_many_bad_rows")
NOT_CSV = SourceOutcome(0, 0, {}, [], "not_csv")


@dataclass
class Run:
    """One attempt at a batch."""

    world: World
    folder: RunFolder
    attempt: int = 1
    sources: tuple[Source, ...] = ()

    @classmethod
    def of(cls, world: World, *sources: Source) -> "Run":
        """The first attempt of VALID sources, whose execution has not started."""
        return cls(world, world.batch(*sources), sources=sources)

    @classmethod
    def with_results(cls, world: World, *outcomes: SourceOutcome) -> "Run":
        """The first attempt of a new file for each outcome, after its jobs."""
        run = cls.of(world, *(world.upload() for _ in outcomes)).claimed()
        run.finish_jobs({source.source_id: outcome for source, outcome in zip(run.sources, outcomes, strict=True)})
        return run

    @classmethod
    def holding(cls, world: World, source: Source) -> "Run":
        """The current attempt of a source."""
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
        """The ids of the sources that the execution claimed."""
        return read_claimed(self.world.s3, self.folder, self.name).source_ids

    @property
    def entries(self) -> list[Entry]:
        return list(self.world.ledger.entries(read_manifest(self.world.s3, self.folder).source_ids).values())

    def start(self) -> "Run":
        """Start its execution, as validate does."""
        self.world.state_machine.start(self.folder, self.attempt)
        return self

    def end(self) -> None:
        """Stop its execution without recording that."""
        self.world.end_execution(self.name)

    def claim(self, has_time: Any = always) -> Claim:
        return claim_sources(self.world.s3, self.world.ledger, self.folder.manifest_uri, self.arn, has_time)

    def claimed(self) -> "Run":
        self.claim()
        return self

    def finish_jobs(
        self, outcomes: dict[str, SourceOutcome] | None = None, run_id: str = RUN_ID, **changes: Any
    ) -> Summary:
        """Write the results of both jobs: `outcomes` by source_id (default: ACCEPTED), `changes` of the summary."""
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
        """Perform all steps, from the claim to the end of its execution."""
        self.claim()
        self.finish_jobs(outcomes)
        self.settle()
        self.archive()
        if self.name in self.world.executions():
            self.end()

    def failure(self, **changes: Any) -> dict[str, Any]:
        """Return the detail of the status-change event of its failure."""
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
        """Record its failure."""
        return self.world.failure_path.record(self.failure(**changes), always)
