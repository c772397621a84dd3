"""Documents that the transform and an erasure store for a run, except Spark's Parquet files."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from music_streams.forget.progress import ErasureProgress, FileToDelete, read_erased, write_erased
from music_streams.reference.in_force import VersionsInForce
from music_streams.reference.of_run import ReferenceOfRun, ReferenceResult
from music_streams.state.removed_rows import RemovalRecords, RemovedRows
from music_streams.state.run_files import (
    Manifest,
    PinnedReference,
    SourceOutcome,
    Summary,
    find_pinned_reference,
    pin_reference,
    read_result,
)
from music_streams.state.sources import Source, Treatment
from music_streams.transform import job
from music_streams.transform.job import RunSettings
from music_streams.transform.ports import LISTENS
from tests.compatibility.stored.kinds import Stored, in_s3, of_run, steady_clock
from tests.compatibility.stored.run import BATCH, DAY, EXECUTION, FOLDER, NEXT_DAY, RUN, TRACK
from tests.compatibility.stored.sources import OTHERS, PACKED, PLAYS, in_order, listed
from tests.compatibility.world import LAKE, LANDING, World
from tests.stateful.files import Listen, Rejected
from tests.stateful.memory_lake import MemoryBatch, MemoryLake, Tables

SECOND = f"{BATCH}-2"
_CLASSIFIED = in_order(
    *map(listed, [PLAYS, *OTHERS[:3]]),
    listed(OTHERS[3], treatment=Treatment.PUT_ASIDE),
    listed(PACKED, treatment=Treatment.RETRACT),
)


def _listen(source: Source, day: str, execution: str = SECOND) -> Listen:
    return Listen(7, TRACK, f"{day} 10:00:00", 1_000, ("pop",), "FR", source.source_id, execution, 1)


def _transform(world: World) -> None:
    """Transform sources such that every possible verdict occurs."""
    rows: list[Listen | Rejected] = [
        *(_listen(PLAYS, day) for day in (DAY, NEXT_DAY)),
        Rejected("x,y,z", "unknown_track", PLAYS.source_id, SECOND),
        _listen(OTHERS[0], DAY),
        Rejected("x,y,z", "bad_user_id", OTHERS[0].source_id, SECOND),
        *(_listen(OTHERS[1], f"2024-01-0{n}") for n in (1, 2, 3)),
    ]
    tables = Tables()
    tables.uuid = "lake-1"
    older = [_listen(PACKED, "2024-06-01", EXECUTION), _listen(PLAYS, DAY, EXECUTION)]
    tables.append(LISTENS, older, EXECUTION, object())
    task = RunSettings(FOLDER, SECOND, RUN, LANDING, Decimal("0.4"), 2, publish_track_metrics=True)
    batch = MemoryBatch(rows, broken={OTHERS[2].source_id})
    job.process(world.s3, task, Manifest(BATCH, _CLASSIFIED), ReferenceResult(), batch, MemoryLake(tables, world.s3))


_OUTCOMES = {
    PLAYS: SourceOutcome(3, 2, {"unknown_track": 1}, [DAY, NEXT_DAY]),
    OTHERS[0]: SourceOutcome(2, 0, {"bad_user_id": 1}, [], "too_many_bad_rows"),
    OTHERS[1]: SourceOutcome(3, 0, {}, [], "too_many_days"),
    OTHERS[2]: SourceOutcome(0, 0, {}, [], "not_csv"),
    OTHERS[3]: SourceOutcome(0, 0, {}, [], "too_many_attempts"),
    PACKED: SourceOutcome(0, 0, {}, ["2024-06-01"]),
}


def _result(outcomes: dict[Source, SourceOutcome]) -> Summary:
    by_id = {source.source_id: outcome for source, outcome in outcomes.items()}
    return Summary(BATCH, SECOND, 3, "lake-1", ["2024-06-01", DAY, NEXT_DAY], f"metrics/{RUN}", by_id)


def _removal(name: str, tracks: str | None) -> Stored:
    days = {PLAYS.source_id: {DAY, NEXT_DAY}, PACKED.source_id: set[str]()}
    return in_s3(
        f"runs/{name}",
        lambda world: RemovalRecords(world.s3, LAKE).write(EXECUTION, f"{RUN}-0", days, tracks),
        f"/notes/{RUN}-0.json",
        lambda s3, _: RemovalRecords(s3, LAKE).read(EXECUTION),
        RemovedRows(days, [tracks] if tracks else []),
    )


def _pin(world: World) -> None:
    pin_reference(world.s3, FOLDER, EXECUTION, _PINNED)


def _merge(world: World) -> None:
    _reference(world.s3)._merged(VersionsInForce(), lambda *_: None)


def _reference(s3: Any) -> ReferenceOfRun:
    return ReferenceOfRun(s3, LANDING, lambda _: {}, Decimal("0.2"), FOLDER, EXECUTION, RUN)


def _merged_place(s3: Any, _: str) -> str:
    """Return the folder of the merged data that a run finds on the day on which they were merged."""
    with steady_clock():
        return replace(_reference(s3), job_run_id="another run")._merged(VersionsInForce(), lambda *_: None)


def _erase(world: World) -> None:
    write_erased(world.s3, FOLDER, _ERASED)


_PINNED = PinnedReference(
    "reference/abc/jr_1",
    1_719_388_805_000,
    "d" * 32,
    3,
    ["s3://landing/reference/songs/a.csv: 3 of 4 rows are usable, the others: 1 bad_duration"],
    {OTHERS[0].source_id: "s3://landing/reference/songs/b.csv: it is archived"},
)
_OLDER_PINS: dict[str, object] = {
    "content.songs_digest": replace(_PINNED, songs_digest=""),
    "content.usable_songs": replace(_PINNED, usable_songs=None),
    "content.found_songs": replace(_PINNED, found_songs=[]),
    "content.left_out": replace(_PINNED, left_out={}),
}
_TO_DELETE = {OTHERS[0].source_id: FileToDelete(OTHERS[0].uri, "its gzip stream is damaged")}
_ERASED = ErasureProgress(
    {PLAYS.source_id, OTHERS[0].source_id}, _TO_DELETE, {OTHERS[1].source_id}, {OTHERS[2].source_id}
)
_WITHOUT_VERDICTS = {source: replace(outcome, verdict=None) for source, outcome in _OUTCOMES.items()}
_OLDER_RESULTS: dict[str, object] = {
    "content.forgotten": _result(_OUTCOMES),
    "content.sources.*.verdict": _result(_WITHOUT_VERDICTS),
}
_OLDER_ERASED: dict[str, object] = {
    "content.deleted": replace(_ERASED, to_delete={}),
    "content.slow": replace(_ERASED, slow=set()),
    "content.failed": replace(_ERASED, failed=set()),
}
_read_pin = of_run(lambda s3, folder: find_pinned_reference(s3, folder, EXECUTION))
_read_result = of_run(lambda s3, folder: read_result(s3, folder, RUN))
TRANSFORM = [
    in_s3("runs/result", _transform, f"{RUN}/summary.json", _read_result, _result(_OUTCOMES), _OLDER_RESULTS),
    _removal("removal", None),
    _removal("removal-with-tracks", f"s3://{LAKE}/tracks"),
    in_s3("runs/reference", _pin, f"/reference-{EXECUTION}.json", _read_pin, _PINNED, _OLDER_PINS),
    in_s3(
        "runs/merged-reference", _merge, ".json", _merged_place, f"reference/merged/{VersionsInForce().digest}/{RUN}"
    ),
    in_s3("runs/erased", _erase, "/erased.json", of_run(read_erased), _ERASED, _OLDER_ERASED),
]
