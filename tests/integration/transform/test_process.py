"""The steps of a run, with the death of the process at every step, on a lake in memory."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from music_streams.errors import LakeChanged
from music_streams.load.items import read_rows
from music_streams.reference.of_run import ReferenceResult
from music_streams.state.removed_rows import RemovalRecords
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, SourceOutcome, Summary, read_result
from music_streams.state.sources import Treatment
from music_streams.transform import job
from music_streams.transform.ports import LISTENS, REJECTED_ROWS
from tests.integration.transform.directory_s3 import DirectoryS3
from tests.stateful.files import Listen, Rejected, fold
from tests.stateful.memory_lake import MemoryBatch, MemoryLake, Tables

LAKE = "lake-of-process"
A, B, C = "a" * 32, "b" * 32, "c" * 32
DAY, NEXT_DAY, LATER = "2024-06-25", "2024-06-26", "2024-07-01"
BAD = ("x,t,2024-06-25", "bad_user_id")
Rows = Iterable[tuple[int, str, str] | tuple[str, str]] | None


class Dies(Exception):
    """The process dies."""


@dataclass
class Attempt:
    """An execution over files."""

    number: int
    files: dict[str, Rows] = field(default_factory=dict)
    treatments: dict[str, str] = field(default_factory=dict)
    arrivals: dict[str, str] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)
    forget: list[int] = field(default_factory=list)
    follows: str = ""
    batch: str = "batch"

    @property
    def execution(self) -> str:
        return f"{self.batch}-{self.number}"

    @property
    def rows(self) -> MemoryBatch | None:
        """The rows of its files, if it has any."""
        rows = [
            listen(*row, source_id, self.execution) if len(row) == 3 else Rejected(*row, source_id, self.execution)
            for source_id, file in self.files.items()
            for row in file or ()
        ]
        broken = {source_id for source_id, file in self.files.items() if file is None}
        return MemoryBatch(rows, broken) if self.files else None

    @property
    def manifest(self) -> Manifest:
        arrivals, treatments = self.arrivals, self.treatments
        sources = [
            ManifestSource(id_, "streams", f"{id_}.csv", [], arrivals.get(id_, ""), 1, treatments.get(id_, ""))
            for id_ in sorted({*self.files, *treatments})
        ]
        return Manifest(self.batch, sources, self.days, self.forget)


@dataclass
class Pipeline:
    """Runs over one lake, and their published metrics."""

    s3: Any
    tables: Tables = field(default_factory=Tables)
    published: dict[tuple[str, str], int] = field(default_factory=dict)
    tries: int = 0

    def run(self, attempt: Attempt, step: Callable[[str], None] = lambda _: None, *, tracks: bool = True) -> Summary:
        """Run the transform, and the load if the transform survives."""
        self.tries += 1
        if attempt.follows:  # as validate does
            RemovalRecords(self.s3, LAKE).write_failed_attempt(attempt.execution, attempt.follows)
        folder = RunFolder(LAKE, attempt.batch)
        run_id = f"jr_{self.tries}"
        task = job.RunSettings(folder, attempt.execution, run_id, "landing", Decimal("0.2"), 1_000, tracks)
        batch = attempt.rows
        lake = MemoryLake(Steps(self.tables, step), self.s3)
        s3: Any = Steps(self.s3, step)
        summary = job.process(s3, task, attempt.manifest, ReferenceResult(), batch, lake)
        assert batch is None or batch.is_closed
        self._load(folder, summary)
        return summary

    def _load(self, folder: RunFolder, summary: Summary) -> None:
        """Publish as the fence does without concurrent runs."""
        tracks = {key: count for key, count in self.published.items() if key[0].startswith("TRACK#")}
        others = {key: count for key, count in self.published.items() if not key[0].startswith("TRACK#")}
        self.published = tracks | {key: count for key, count in others.items() if day_of(*key) not in summary.days}
        for row in read_rows(self.s3, folder, summary) if summary.days else ():
            if row["listen_count"] is None:
                self.published.pop((row["pk"], row["sk"]), None)
            else:
                self.published[row["pk"], row["sk"]] = row["listen_count"]

    @property
    def lake_metrics(self) -> dict[tuple[str, str], int]:
        """The expected metrics, computed from the rows of the lake."""
        items = fold(self.tables.tables[LISTENS].rows, track_metrics=True)
        return {key: measures["listen_count"] for key, measures in items.items()}

    @property
    def rows(self) -> dict[str, list[Any]]:
        """The rows of the lake, by table."""
        return {name: sorted(table.rows) for name, table in self.tables.tables.items()}


@dataclass
class Steps:
    """A client of S3 or of the lake's tables that calls `step` before and after changes and reads of days."""

    client: Any
    step: Callable[[str], None]

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.client, name)
        if name not in {"put_object", "append", "delete", "expire", "read"}:
            return call

        def with_steps(*arguments: Any, **named: Any) -> Any:
            texts = (argument for argument in arguments if isinstance(argument, str))
            subject = named["Key"].rsplit("/", 1)[1] if "Key" in named else next(texts, "listens")
            self.step(f"before {name} of {subject}")
            answer = call(*arguments, **named)
            self.step(f"after {name} of {subject}")
            return answer

        return with_steps


def listen(user: int, track: str, day: str, source_id: str, execution: str) -> Listen:
    """A listen of a user in a country of their own, to a track without genres."""
    return Listen(user, track, day, 1, (), str(user), source_id, execution, 1)


def day_of(pk: str, sk: str) -> str:
    return (pk if sk == "SUMMARY" else sk).removeprefix("DAY#")


def steps_of(make: Callable[[], Pipeline], attempt: Attempt) -> list[str]:
    """Return the names of all steps of an attempt that succeeds."""
    steps: list[str] = []
    make().run(attempt, steps.append)
    return steps


def dies_at(number: int) -> Callable[[str], None]:
    """Return a step function with which the process dies at the given step."""
    left = iter(range(number))

    def step(name: str) -> None:
        if next(left, None) is None:
            raise Dies(name)

    return step


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], Pipeline]:
    """Make pipelines in which a first attempt of A, B and C is published."""
    numbers = itertools.count()

    def pipeline() -> Pipeline:
        new = Pipeline(DirectoryS3(tmp_path / str(next(numbers))))
        new.run(FIRST)
        assert new.published == new.lake_metrics
        return new

    return pipeline


FIRST = Attempt(
    1,
    {
        A: [(1, "t", DAY), (2, "t", DAY), (3, "u", DAY), (1, "v", NEXT_DAY), (7, "w", NEXT_DAY), BAD],
        B: [(7, "t", DAY), *((user, "w", LATER) for user in range(7, 12)), ("7,w,bad", "bad_listen_time")],
        C: [],
    },
    batch="first",
)
AGAIN = Attempt(2, {A: [(1, "t", DAY), (2, "x", NEXT_DAY)]}, batch="again")
REFUSED = Attempt(2, {A: [(1, "t", DAY), BAD, BAD]}, batch="refused")
BROKEN = Attempt(2, {A: None, B: [(7, "t", DAY)]}, batch="broken")
RETRACT = Attempt(2, treatments={A: Treatment.RETRACT}, batch="retract")
PUT_ASIDE = Attempt(2, treatments={A: Treatment.PUT_ASIDE}, batch="quarantine")
FORGET = Attempt(1, forget=[7, 77], batch="forget")
REBUILD = Attempt(1, days=[DAY, LATER, "2020-01-01"], batch="rebuild")
NEW = Attempt(1, {A: [(4, "y", LATER), BAD, *((user, "z", LATER) for user in range(4))]}, batch="new")
ATTEMPTS = [NEW, AGAIN, REFUSED, BROKEN, RETRACT, PUT_ASIDE, FORGET, REBUILD]


def repeatable(summary: Summary) -> dict[str, Any]:
    """Return the parts of a summary that are the same in every job run."""
    return {"days": summary.days, "sources": summary.sources, "forgotten": summary.forgotten}


def test_a_run_commits_valid_rows_and_returns_the_outcome_of_each_file(tmp_path):
    pipeline = Pipeline(DirectoryS3(tmp_path))
    files: dict[str, Rows] = {
        A: [(1, "t", DAY), (1, "t", NEXT_DAY), (2, "t", DAY), (3, "t", DAY), BAD, ("p", "unknown_track")],
        B: [(1, "t", DAY), BAD],
        C: None,
    }
    attempt = Attempt(1, {**files, "d" * 32: []})
    summary = pipeline.run(attempt)
    assert summary.sources == {
        A: SourceOutcome(6, 4, {"bad_user_id": 1, "unknown_track": 1}, [DAY, NEXT_DAY]),
        B: SourceOutcome(2, 0, {"bad_user_id": 1}, [], "too_many_bad_rows"),
        C: SourceOutcome(0, 0, {}, [], "not_csv"),
        "d" * 32: SourceOutcome(0, 0, {}, []),
    }
    assert {row.source_id for table in pipeline.rows.values() for row in table} == {A}
    assert (summary.version, summary.lake_uuid, summary.days) == (1, "lake", [DAY, NEXT_DAY])
    assert read_result(pipeline.s3, RunFolder(LAKE, "batch"), "jr_1") == summary


def test_the_rows_of_a_new_attempt_replace_the_older_rows_of_its_file(make):
    pipeline = make()
    summary = pipeline.run(AGAIN)
    assert summary.days == [DAY, NEXT_DAY]
    assert {row for row in pipeline.rows[LISTENS] if row.source_id == A} == {
        listen(1, "t", DAY, A, "again-2"),
        listen(2, "x", NEXT_DAY, A, "again-2"),
    }
    assert Rejected(*BAD, A, "first-1") not in pipeline.rows[REJECTED_ROWS]
    # Tracks u on the first day, and v and w on the second, have no listens left, and no items.
    assert pipeline.published == pipeline.lake_metrics


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        (RETRACT, SourceOutcome(0, 0, {}, [DAY, NEXT_DAY])),
        (PUT_ASIDE, SourceOutcome(0, 0, {}, [], "too_many_attempts")),  # a failed attempt had committed rows
    ],
)
def test_the_rows_of_a_retracted_or_quarantined_file_are_removed_from_lake_and_metrics(make, attempt, outcome):
    pipeline = make()
    assert repeatable(pipeline.run(attempt)) == {"days": [DAY, NEXT_DAY], "sources": {A: outcome}, "forgotten": []}
    assert A not in {row.source_id for table in pipeline.rows.values() for row in table}
    assert pipeline.published == pipeline.lake_metrics
    assert not [key for key in pipeline.published if day_of(*key) == NEXT_DAY]


def test_a_forgotten_user_is_removed_from_lake_snapshots_and_metrics(make):
    pipeline = make()
    summary = pipeline.run(FORGET)
    assert repeatable(summary) == {"days": [DAY, NEXT_DAY, LATER], "sources": {}, "forgotten": [A, B]}
    held = [row for snapshot in pipeline.tables.tables[LISTENS].snapshots.values() for row in snapshot]
    assert held
    assert 7 not in {row.user_id for row in held}
    assert {row.raw for row in pipeline.rows[REJECTED_ROWS]} == {BAD[0]}
    assert pipeline.published == pipeline.lake_metrics


def test_rows_of_a_forgotten_user_that_are_added_during_the_run_are_removed_with_their_days(make):
    pipeline = make()
    new = Attempt(1, {C: [(7, "n", "2024-08-01")]}, batch="meanwhile")

    def step(name: str) -> None:
        if name == "before delete of listens" and not pipeline.tables.has_commit(LISTENS, new.execution):
            pipeline.run(new)

    summary = pipeline.run(FORGET, step)
    assert "2024-08-01" in summary.days
    assert summary.forgotten == [A, B, C]
    assert pipeline.published == pipeline.lake_metrics


def test_a_rebuild_restores_lost_metrics(make):
    pipeline = make()
    everything = pipeline.published
    pipeline.published = {}
    assert pipeline.run(Attempt(1, days=[DAY, NEXT_DAY, LATER], batch="rebuild")).sources == {}
    assert pipeline.published == everything


def test_a_rebuild_from_an_empty_lake_is_an_error(tmp_path):
    with pytest.raises(LakeChanged):
        Pipeline(DirectoryS3(tmp_path)).run(REBUILD)


def test_no_removed_track_is_written_if_tracks_have_no_items(make):
    pipeline = make()
    summary = pipeline.run(RETRACT, tracks=False)
    assert {row["pk"][:4] for row in read_rows(pipeline.s3, RunFolder(LAKE, "retract"), summary)} == {"DAY#", "COUN"}


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.batch)
def test_a_run_that_dies_at_any_step_can_be_repeated(make, attempt):
    expected = make()
    summary = expected.run(attempt)
    steps = steps_of(make, attempt)
    assert len(steps) > 3
    for number, name in enumerate(steps):
        pipeline = make()
        with pytest.raises(Dies, match=name):
            pipeline.run(attempt, dies_at(number))
        assert repeatable(pipeline.run(attempt)) == repeatable(summary), name
        assert pipeline.rows == expected.rows, name
        assert pipeline.published == pipeline.lake_metrics == expected.published, name


@pytest.mark.parametrize("attempt", [AGAIN, REFUSED, BROKEN, RETRACT, FORGET], ids=lambda each: each.batch)
def test_a_run_that_dies_twice_can_be_repeated(make, attempt):
    expected = make()
    summary = expected.run(attempt)
    steps = steps_of(make, attempt)
    for first in range(len(steps)):
        for second in range(len(steps)):
            pipeline = make()
            for number in (first, second):
                with suppress(Dies):
                    pipeline.run(attempt, dies_at(number))
            assert repeatable(pipeline.run(attempt)) == repeatable(summary), (steps[first], steps[second])
            assert pipeline.rows == expected.rows
            assert pipeline.published == expected.published


@pytest.mark.parametrize("treatment", [Treatment.NORMAL, Treatment.RETRACT])
@pytest.mark.parametrize("failing", [AGAIN, REFUSED, BROKEN, RETRACT], ids=lambda each: each.batch)
def test_an_attempt_that_fails_at_any_step_is_replaced_by_the_next(make, failing, treatment):
    sources = sorted({*failing.files, *failing.treatments})

    def attempt(number: int, follows: Attempt) -> Attempt:
        files: dict[str, Rows] = {} if treatment else dict.fromkeys(sources, AGAIN.files[A])
        return Attempt(
            number, files, dict.fromkeys(sources, treatment), follows=follows.execution, batch=f"try{number}"
        )

    for death, name in enumerate([*steps_of(make, failing), "after the last step, before the load"]):
        pipeline = make()
        published = pipeline.published
        with suppress(Dies):
            pipeline.run(failing, dies_at(death))
        # The next attempts fail too, each a step later, after they have recorded which attempt they follow.
        last = failing
        for number in range(1, len(steps_of(make, attempt(3, failing)))):
            last = attempt(2 + number, last)
            with suppress(Dies):
                pipeline.run(last, dies_at(number))
        pipeline.published = published  # none of them was loaded
        last = attempt(last.number + 1, last)
        pipeline.run(last)
        assert pipeline.published == pipeline.lake_metrics, name
        assert {row.execution for row in pipeline.rows[LISTENS] if row.source_id in sources} <= {last.execution}


@pytest.mark.parametrize("number", [1, 2])
def test_a_repeat_that_quarantines_a_file_removes_its_committed_rows(make, number):
    pipeline = make()
    attempt = Attempt(number, {A: [(5, "n", DAY)]}, batch="changed")
    with pytest.raises(Dies):
        pipeline.run(attempt, dies_at(steps_of(make, attempt).index("after append of listens")))
    pipeline.run(dataclasses.replace(attempt, files={A: None}))
    assert "changed" not in {row.execution.split("-")[0] for row in pipeline.rows[LISTENS]}
    assert pipeline.published == pipeline.lake_metrics


def test_an_attempt_is_replaced_even_if_the_next_dies_before_its_first_step(make):
    pipeline = make()
    with pytest.raises(Dies):
        pipeline.run(RETRACT, dies_at(steps_of(make, RETRACT).index("before read of listens")))
    retry = Attempt(3, treatments={A: Treatment.RETRACT}, follows=RETRACT.execution, batch="retry")
    RemovalRecords(pipeline.s3, LAKE).write_failed_attempt(retry.execution, retry.follows)
    pipeline.run(Attempt(4, treatments={A: Treatment.RETRACT}, follows=retry.execution, batch="last"))
    assert pipeline.published == pipeline.lake_metrics


def test_two_concurrent_job_runs_of_an_execution_have_the_result_of_one(make):
    """The response to the start of a job run may be lost, so that a second one is started."""
    for attempt in ATTEMPTS:
        expected = make()
        summary = expected.run(attempt)
        for number, name in enumerate(steps_of(make, attempt)):
            pipeline = make()
            steps = iter(range(number))

            def step(_: str, pipeline: Pipeline = pipeline, attempt: Attempt = attempt, steps: Any = steps) -> None:
                if next(steps, None) is None and not pipeline.tables.uuid.endswith("!"):
                    pipeline.tables.uuid += "!"
                    pipeline.run(attempt)

            assert repeatable(pipeline.run(attempt, step)) == repeatable(summary), name
            # Both may append before either sees the other's commit; events still count once.
            stored, wanted = (list(map(set, of.rows.values())) for of in (pipeline, expected))
            assert stored == wanted, name
            assert pipeline.published == expected.published, name


def test_the_days_of_another_failed_source_are_not_computed_again(make):
    """A batch of two files fails after its deletion; each file is retried in its own batch."""
    pipeline = make()
    failing = Attempt(2, treatments={A: Treatment.RETRACT, B: Treatment.RETRACT}, batch="both")
    with pytest.raises(Dies):
        pipeline.run(failing, dies_at(steps_of(make, failing).index("before read of listens")))
    summary = pipeline.run(Attempt(3, treatments={A: Treatment.RETRACT}, follows="both-2", batch="alone"))
    assert summary.days == [DAY, NEXT_DAY]
    assert summary.sources == {A: SourceOutcome(0, 0, {}, [DAY, NEXT_DAY])}
    assert ("DAY#2024-07-01", "SUMMARY") in pipeline.published
    pipeline.run(Attempt(3, treatments={B: Treatment.RETRACT}, follows="both-2", batch="other"))
    assert pipeline.published == {}


@pytest.mark.parametrize(("arrivals", "days"), [(16, 16), (17, 1), (1, 17)])
def test_a_file_for_each_day_is_kept_open_only_if_days_are_few(tmp_path, arrivals, days):
    pipeline = Pipeline(DirectoryS3(tmp_path))
    names = [f"{number:032x}" for number in range(17)]
    good = {name: [(1, "t", f"2024-06-{1 + number % days:02}")] * 4 for number, name in enumerate(names)}
    received = {name: f"2024-07-{1 + number % arrivals:02}T00:00:00.000Z" for number, name in enumerate(names)}
    pipeline.run(Attempt(1, {name: [*rows, BAD] for name, rows in good.items()}, arrivals=received))
    assert {name: table.of_few_days for name, table in pipeline.tables.tables.items()} == {
        REJECTED_ROWS: arrivals <= 16,
        LISTENS: days <= 16,
    }
