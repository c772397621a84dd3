"""Everything that is stored, once each: who writes it, who reads it, and what the fixture of it means.

Only this file names modules, classes and fields of the product: a rename there is a change here, and of nothing else in
this folder. The names in the fixtures are the stored ones, and stay.

Not here, because only Spark can write it: the columns of the lake's tables, and the Parquet files of metrics, removed
tracks and parsed reference data; tests/integration/transform looks at those.
"""

import itertools
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import pyarrow as pa
from pyarrow import parquet

from music_streams import clock
from music_streams.aws import objects
from music_streams.aws.alert_topic import Alerts
from music_streams.forget.progress import Deleted, Erased, read_erased, write_erased
from music_streams.ingest.batches import Batches, Taken
from music_streams.ingest.intake import Intake
from music_streams.ingest.s3_events import event_of, source_of
from music_streams.load import job as load_job
from music_streams.load.fence import Day, Fence
from music_streams.load.items import Stamp
from music_streams.maintain import report as upkeep
from music_streams.operate.files import reason_of
from music_streams.reader import (
    CountryDay,
    DaySummary,
    GenreDay,
    MetricsPublished,
    MetricsReader,
    TopGenre,
    TopSong,
    TrackDay,
)
from music_streams.reconcile.findings import DayFinding, DayState, FileFinding, Findings, State, Window
from music_streams.reconcile.plan import Plan, Repair, RepairKind
from music_streams.reconcile.reconciler import Inspection
from music_streams.reconcile.records import DayRecord, Percentiles
from music_streams.reconcile.report_drafts import Drafts
from music_streams.reconcile.reports import Report, Reports
from music_streams.run.claim import claim_sources
from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.removed_rows import Removals, Removed
from music_streams.state.requests import Action, Attempt, Forget, Rebuild, parse, to_message
from music_streams.state.run_files import (
    LoadReport,
    Manifest,
    ManifestSource,
    RunFolder,
    SourceOutcome,
    Summary,
    find_load_report,
    find_summary,
    read_claimed,
    read_manifest,
    read_result,
    write_claimed,
    write_load_report,
    write_manifest,
    write_result,
    write_summary,
)
from music_streams.state.sources import Source, Treatment, batch_id_of
from music_streams.state.statuses import Status
from music_streams.transform import job as transform_job
from music_streams.transform.job import TransformRun
from music_streams.transform.ports import LISTENS
from music_streams.transform.spark.reference_data import ReferenceData, _Kept
from music_streams.validation.verdicts import Judgement, Verdict
from tests.compatibility import state_machine
from tests.compatibility.world import ACCOUNT, FILES, LAKE, LANDING, METRICS, REGION, Document, World
from tests.events.handlers import invoke
from tests.functions import Function
from tests.stateful.files import Listen, Rejected
from tests.stateful.memory_lake import MemoryBatch, MemoryLake, Tables

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stored:
    """A kind of thing that is stored.

    Attributes:
        name: of its fixture.
        write: lets the product store one, in an empty world; answers what is stored.
        read: lets the product read what is stored, in an empty world; answers what it means to the product.
        means: what the fixture means.
        older: what the fixture means without a field that the product did not always write, by the field's path.
    """

    name: str
    write: Callable[[World], Document]
    read: Callable[[World, Document], object]
    means: object
    older: dict[str, object] = field(default_factory=dict)


@contextmanager
def steady_clock() -> Iterator[None]:
    """The product's clock goes on by a second each time that it is asked."""
    ticks = itertools.count(1)
    with patch.object(clock, "now", lambda: moment(next(ticks))):
        yield


def moment(tick: int) -> str:
    """What the steady clock says when it is asked for the n-th time."""
    return f"2024-06-26T08:10:{tick:02}.000Z"


# ── What the fixtures are about ───────────────────────────────────────────────────────────────────────────────────

ARRIVED = "2024-06-26T08:00:05.000Z"
DAY, NEXT_DAY = "2024-06-25", "2024-06-26"
HEADER = ["user_id", "track_id", "listen_time"]
PLAYS = Source(LANDING, "incoming/2024-06-25/plays.csv", "version-of-plays", 1_200, ARRIVED)
PACKED = Source(LANDING, "incoming/2024-06-25/Türkiye.csv.gz", "version-of-packed", 400, ARRIVED)
SONGS = Source(LANDING, "reference/songs/songs.csv", "version-of-songs", 90_000, ARRIVED)
OTHERS = [Source(LANDING, f"incoming/other-{n}.csv", f"version-of-other-{n}", 100 * n, ARRIVED) for n in range(1, 5)]
BATCH = "0123456789abcdef0123456789abcdef"
FOLDER = RunFolder(LAKE, BATCH)
EXECUTION = f"{BATCH}-1"
EXECUTIONS = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:process-streams"
MACHINE = EXECUTIONS.replace(":execution:", ":stateMachine:")
ARN = f"{EXECUTIONS}:{EXECUTION}"
RUN = "jr_0123456789abcdef"
TRACK = "4dBa8T7oDV9WvGr7kVS4Ez"
GOOD = SourceOutcome(10, 8, {"duplicate": 1, "unknown_track": 1}, [DAY, NEXT_DAY])
BAD = SourceOutcome(4, 0, {"bad_user_id": 3}, [], "too_many_bad_rows")
JOB_RUN = {"Id": RUN, "JobName": "a-job", "JobRunState": "SUCCEEDED", "ExecutionTime": 74, "MaxCapacity": 2.0}
_NOTHING: Any = None


def _listed(source: Source, ending: str = ".csv", treatment: Treatment = Treatment.NORMAL) -> ManifestSource:
    """How a manifest lists a source."""
    kind = "songs" if source is SONGS else "streams"
    header = HEADER if treatment.brings_rows else []
    return ManifestSource(source.source_id, kind, source.source_id + ending, header, ARRIVED, source.size, treatment)


def _sorted(*listed: ManifestSource) -> list[ManifestSource]:
    return sorted(listed, key=lambda each: each.source_id)


def _ledger(world: World) -> Ledger:
    return Ledger(FILES, world.dynamodb)


@contextmanager
def _without_copies() -> Iterator[None]:
    """Files are not copied: what is stored of them is the point."""

    def done(*_: object) -> None:
        pass

    with patch.multiple(objects, copy=done, keep_copy=done, move=done, stored=lambda *_: None):
        yield


def _no_time_limit() -> bool:
    return True


# ── The ledger ────────────────────────────────────────────────────────────────────────────────────────────────────


def _bring(world: World, source: Source, *moves: Callable[[Ledger, Entry], object]) -> Entry:
    """A source that was received, moved on by the ledger itself."""
    ledger = _ledger(world)
    entry = ledger.receive(source, 300)
    for move in moves:
        assert entry is not None
        assert move(ledger, entry) is not False
        entry = ledger.entry(source.source_id)
    assert entry is not None
    return entry


def _validate(ledger: Ledger, entry: Entry) -> object:
    return ledger.validate(entry, BATCH)


def _run(ledger: Ledger, entry: Entry) -> object:
    return ledger.run(entry, f"{EXECUTIONS}:{entry.batch_id}-{entry.attempt}")


def _publish(ledger: Ledger, entry: Entry) -> object:
    return ledger.publish(entry, GOOD, 1_234)


def _archive(ledger: Ledger, entry: Entry) -> object:
    return ledger.archive(entry, entry.source.kept_key("archive"))


def _fail(ledger: Ledger, entry: Entry) -> object:
    return ledger.fail(entry, entry.execution_arn, "FAILED: States.TaskFailed: no memory")


def _refuse(ledger: Ledger, entry: Entry) -> object:
    return ledger.quarantine(entry, "too_large", entry.source.kept_key("quarantine"))


def _reject(ledger: Ledger, entry: Entry) -> object:
    return ledger.quarantine(entry, "too_many_bad_rows", entry.source.kept_key("quarantine"), BAD, 1_234)


def _renew(treatment: Treatment) -> Callable[[Ledger, Entry], object]:
    return lambda ledger, entry: ledger.renew(entry, BATCH, entry.attempt + 1, treatment)


def _retract(ledger: Ledger, entry: Entry) -> object:
    return ledger.retract(entry)


_VALID = Entry(PLAYS, Status.VALID, moment(2), 1, BATCH, validated_at=moment(2))
_RUNNING = replace(_VALID, status=Status.RUNNING, updated_at=moment(3), execution_arn=ARN, started_at=moment(3))
_PUBLISHED = replace(
    _RUNNING,
    status=Status.PUBLISHED,
    updated_at=moment(4),
    published_at=moment(4),
    first_published_at=moment(4),
    days=[DAY, NEXT_DAY],
    rows_read=10,
    rows_accepted=8,
    rejected={"duplicate": 1, "unknown_track": 1},
    cost_micro_usd=1_234,
    total_cost_micro_usd=1_234,
)
_ARCHIVED = replace(
    _PUBLISHED,
    status=Status.ARCHIVED,
    updated_at=moment(5),
    archived_at=moment(5),
    archive_key=f"archive/2024/06/26/{PLAYS.source_id}/plays.csv",
)
_FAILED = replace(
    _RUNNING,
    status=Status.FAILED,
    updated_at=moment(4),
    reason="FAILED: States.TaskFailed: no memory",
    failures=1,
    failing_since=moment(4),
)
_REJECTED = replace(
    _RUNNING,
    status=Status.QUARANTINED,
    updated_at=moment(4),
    reason="too_many_bad_rows",
    archive_key=f"quarantine/2024/06/26/{PLAYS.source_id}/plays.csv",
    rows_read=4,
    rejected={"bad_user_id": 3},
    cost_micro_usd=1_234,
    total_cost_micro_usd=1_234,
)
_AGAIN: dict[str, Any] = {"execution_arn": "", "reason": "", "started_at": "", "published_at": "", "archived_at": ""}


def _again(entry: Entry, tick: int, treatment: Treatment) -> Entry:
    """What a renewed entry is."""
    at = moment(tick)
    return replace(entry, status=Status.VALID, updated_at=at, validated_at=at, attempt=2, treatment=treatment, **_AGAIN)


_ADDED = {
    "treatment": "treatment",
    "first_published_at": "first_published_at",
    "failures": "failures",
    "failing_since": "failing_since",
    "cost_micro_usd": "cost_micro_usd",
    "total_cost_micro_usd": "total_cost_micro_usd",
}
"""Stored fields that older items lack, and what an entry calls them."""


def _item(name: str, means: Entry, *moves: Callable[[Ledger, Entry], object]) -> Stored:
    def write(world: World) -> Document:
        entry = _bring(world, PLAYS, *moves)
        return world.item(FILES, source_id=entry.source.source_id)

    def read(world: World, document: Document) -> object:
        world.put_item(document)
        entry = _ledger(world).entry(PLAYS.source_id)
        assert list(_ledger(world).with_status(means.status)) == [entry], "the index finds it by its status"
        return entry

    before = Entry(PLAYS, means.status, means.updated_at, means.attempt)
    values = {stored: (ours, getattr(before, ours)) for stored, ours in _ADDED.items()}
    older: dict[str, object] = {
        f"item.{stored}": replace(means, **{ours: value})
        for stored, (ours, value) in values.items()
        if getattr(means, ours) != value
    }
    return Stored(f"ledger/{name}", write, read, means, older)


_TO_ARCHIVED = (_validate, _run, _publish, _archive)
_TO_FAILED = (_validate, _run, _fail)
_TO_REJECTED = (_validate, _run, _reject)
_PUT_ASIDE = _again(_FAILED, 5, Treatment.PUT_ASIDE)
LEDGER = [
    _item("received", Entry(PLAYS, Status.RECEIVED, moment(1), 1)),
    _item("valid", _VALID, _validate),
    _item("running", _RUNNING, _validate, _run),
    _item("published", _PUBLISHED, _validate, _run, _publish),
    _item("archived", _ARCHIVED, *_TO_ARCHIVED),
    _item("failed", _FAILED, *_TO_FAILED),
    _item(
        "quarantined-by-validate",
        Entry(PLAYS, Status.QUARANTINED, moment(2), 1, reason="too_large", archive_key=PLAYS.kept_key("quarantine")),
        _refuse,
    ),
    _item("quarantined-after-run", _REJECTED, *_TO_REJECTED),
    _item(
        "redriven",
        _again(_FAILED, 5, Treatment.NORMAL),
        *_TO_FAILED,
        _renew(Treatment.NORMAL),
    ),
    _item(
        "accept-bad-rows",
        _again(_REJECTED, 5, Treatment.ACCEPT_BAD_ROWS),
        *_TO_REJECTED,
        _renew(Treatment.ACCEPT_BAD_ROWS),
    ),
    _item(
        "accept-many-days",
        _again(_REJECTED, 5, Treatment.ACCEPT_MANY_DAYS),
        *_TO_REJECTED,
        _renew(Treatment.ACCEPT_MANY_DAYS),
    ),
    _item("retract", _again(_ARCHIVED, 6, Treatment.RETRACT), *_TO_ARCHIVED, _renew(Treatment.RETRACT)),
    _item("put-aside", _PUT_ASIDE, *_TO_FAILED, _renew(Treatment.PUT_ASIDE)),
    _item(
        "retracted",
        replace(
            _again(_ARCHIVED, 6, Treatment.RETRACT),
            status=Status.RETRACTED,
            updated_at=moment(10),
            execution_arn=f"{EXECUTIONS}:{BATCH}-2",
            started_at=moment(7),
            published_at=moment(8),
            archived_at=moment(9),
            total_cost_micro_usd=2_468,
        ),
        *_TO_ARCHIVED,
        _renew(Treatment.RETRACT),
        _run,
        _publish,
        _archive,
        _retract,
    ),
]


# ── A run's folder ────────────────────────────────────────────────────────────────────────────────────────────────


def _arrived(world: World) -> None:
    """Validate takes three new files."""
    found = ((PLAYS, False), (PACKED, True), (SONGS, False))
    taken = [
        Taken(_bring(world, source), judgement=Judgement(None, header=HEADER, is_gzip=is_gzip))
        for source, is_gzip in found
    ]
    with _without_copies():
        Batches(world.s3, _ledger(world), LAKE).make_valid(taken)


def _renewed(world: World) -> None:
    """Validate takes files again, each with another treatment, as operators have asked."""
    judged = Judgement(None, header=HEADER)
    taken = [
        Taken(_bring(world, OTHERS[0], *_TO_REJECTED), Treatment.ACCEPT_BAD_ROWS, judged),
        Taken(_bring(world, OTHERS[1], *_TO_REJECTED), Treatment.ACCEPT_MANY_DAYS, judged),
        Taken(_bring(world, OTHERS[2], *_TO_ARCHIVED), Treatment.RETRACT),
        Taken(_bring(world, OTHERS[3], *_TO_FAILED), Treatment.PUT_ASIDE),
    ]
    with _without_copies():
        Batches(world.s3, _ledger(world), LAKE).make_valid(taken)


def _order(request: Rebuild | Forget) -> Callable[[World], None]:
    """Validate takes a request for a run without sources."""

    def take(world: World) -> None:
        nothing = dict.fromkeys(("executions", "job_runs", "ledger", "quarantine"), _NOTHING)
        intake = Intake(
            s3=world.s3,
            landing_bucket=LANDING,
            lake_bucket=LAKE,
            timeout_seconds=300,
            lease_seconds=300,
            max_file_bytes=1_000,
            **nothing,
        )
        intake.open_batch(lambda: 300.0).take(to_message(request))

    return take


def _claim(world: World) -> None:
    """An execution claims the new files."""
    _arrived(world)
    batch_id = batch_id_of(source.source_id for source in (PLAYS, PACKED, SONGS))
    uri = RunFolder(LAKE, batch_id).manifest_uri
    claim_sources(world.s3, _ledger(world), uri, f"{EXECUTIONS}:{batch_id}-1", _no_time_limit)


def _object(name: str, act: Callable[[World], object], ending: str, bucket: str = LAKE) -> dict[str, Any]:
    """The name and the writer of a kind that is an object with this ending of its key."""

    def write(world: World) -> Document:
        act(world)
        return world.object(ending, bucket)

    return {"name": name, "write": write}


def _read_object(reader: Callable[[World, RunFolder], object]) -> Callable[[World, Document], object]:
    """Read an object of a run's folder with the product's reader."""

    def read(world: World, document: Document) -> object:
        world.put_object(document)
        return reader(world, RunFolder(LAKE, document["key"].split("/")[1]))

    return read


def _manifest_of(world: World, folder: RunFolder) -> object:
    manifest = read_manifest(world.s3, folder)
    ids = [[each.source_id for each in part] for part in (manifest.streams, manifest.retracted, manifest.put_aside)]
    return (manifest, *ids)


_NEW = Manifest(
    batch_id_of(source.source_id for source in (PLAYS, PACKED, SONGS)),
    _sorted(_listed(PLAYS), _listed(PACKED, ".csv.gz"), _listed(SONGS)),
)
_NEW_IDS = ([each.source_id for each in _NEW.sources if each.kind == "streams"], list[str](), list[str]())
_TREATED = Manifest(
    batch_id_of(source.source_id for source in OTHERS),
    _sorted(
        _listed(OTHERS[0], treatment=Treatment.ACCEPT_BAD_ROWS),
        _listed(OTHERS[1], treatment=Treatment.ACCEPT_MANY_DAYS),
        _listed(OTHERS[2], treatment=Treatment.RETRACT),
        _listed(OTHERS[3], treatment=Treatment.PUT_ASIDE),
    ),
)
_TREATED_IDS = (
    sorted(source.source_id for source in OTHERS[:2]),
    [OTHERS[2].source_id],
    [OTHERS[3].source_id],
)
_UNTREATED = replace(_TREATED, sources=[replace(each, treatment="") for each in _TREATED.sources])
REBUILD = Rebuild([DAY, NEXT_DAY], ARRIVED)
FORGET = Forget(7, ARRIVED)

# A run of the transform, with every verdict that it can give.
_JUDGED = _sorted(
    _listed(PLAYS),
    *(_listed(source) for source in OTHERS[:3]),
    _listed(OTHERS[3], treatment=Treatment.PUT_ASIDE),
    _listed(PACKED, treatment=Treatment.RETRACT),
)
SECOND = f"{BATCH}-2"


def _listen(source: Source, day: str, execution: str = SECOND) -> Listen:
    return Listen(7, TRACK, f"{day} 10:00:00", 1_000, ("pop",), "FR", source.source_id, execution, 1)


def _rejected(source: Source, reason: str) -> Rejected:
    return Rejected("x,y,z", reason, source.source_id, SECOND)


def _transform(world: World) -> None:
    rows: list[Listen | Rejected] = [
        _listen(PLAYS, DAY),
        _listen(PLAYS, NEXT_DAY),
        _rejected(PLAYS, "unknown_track"),
        _listen(OTHERS[0], DAY),
        _rejected(OTHERS[0], "bad_user_id"),
        *(_listen(OTHERS[1], day) for day in ("2024-01-01", "2024-01-02", "2024-01-03")),
    ]
    tables = Tables()
    older = [_listen(PACKED, "2024-06-01", EXECUTION), _listen(PLAYS, DAY, EXECUTION)]
    tables.uuid = "lake-1"
    tables.append(LISTENS, older, EXECUTION, object())
    task = TransformRun(FOLDER, SECOND, RUN, LANDING, Decimal("0.4"), 2, publish_track_metrics=True)
    batch = MemoryBatch(rows, broken={OTHERS[2].source_id})
    transform_job.process(world.s3, task, Manifest(BATCH, _JUDGED), batch, MemoryLake(tables, world.s3))


_RESULT = Summary(
    BATCH,
    SECOND,
    3,
    "lake-1",
    ["2024-06-01", DAY, NEXT_DAY],
    f"metrics/{RUN}",
    {
        PLAYS.source_id: SourceOutcome(3, 2, {"unknown_track": 1}, [DAY, NEXT_DAY]),
        OTHERS[0].source_id: SourceOutcome(2, 0, {"bad_user_id": 1}, [], "too_many_bad_rows"),
        OTHERS[1].source_id: SourceOutcome(3, 0, {}, [], "too_many_days"),
        OTHERS[2].source_id: SourceOutcome(0, 0, {}, [], "not_csv"),
        OTHERS[3].source_id: SourceOutcome(0, 0, {}, [], "too_many_attempts"),
        PACKED.source_id: SourceOutcome(0, 0, {}, ["2024-06-01"]),
    },
)
_WITHOUT_VERDICTS = {name: replace(outcome, verdict=None) for name, outcome in _RESULT.sources.items()}

# Settling: one file is published, one is put into quarantine.
_SETTLED = Summary(
    BATCH,
    EXECUTION,
    7,
    "lake-1",
    [DAY, NEXT_DAY],
    f"metrics/{RUN}",
    {PLAYS.source_id: GOOD, PACKED.source_id: BAD},
    [PLAYS.source_id],
)


def _before_settling(world: World) -> None:
    manifest = Manifest(BATCH, _sorted(_listed(PLAYS), _listed(PACKED, ".csv.gz")))
    for source in (PLAYS, PACKED):
        _bring(world, source, _validate, _run)
    write_manifest(world.s3, FOLDER, manifest)
    write_claimed(world.s3, FOLDER, EXECUTION, manifest)
    write_result(world.s3, FOLDER, RUN, _SETTLED)
    write_load_report(world.s3, FOLDER, RUN, LoadReport(40, 2))


def _settle(world: World) -> Any:
    """Settle; answers the client that the event was given to."""
    _before_settling(world)
    events = MagicMock(put_events=MagicMock(return_value={"FailedEntryCount": 0}))
    quarantine = Quarantine(world.s3, _ledger(world), Alerts(MagicMock(), "alerts"))
    with _without_copies():
        settlement = Settlement(world.s3, events, _ledger(world), quarantine)
        settlement.settle(FOLDER.manifest_uri, ARN, RUN, _no_time_limit, [JOB_RUN, JOB_RUN])
    return events


def _published_event(world: World) -> Document:
    [entry] = _settle(world).put_events.call_args.kwargs["Entries"]
    return {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}


def _reason(world: World, document: Document) -> object:
    """What is beside a quarantined file, found from the ledger's entry."""
    world.put_object(document)
    entry = Entry(PACKED, Status.QUARANTINED, ARRIVED, 1, archive_key=PACKED.kept_key("quarantine"))
    stack: Any = SimpleNamespace(s3=world.s3)
    reason = reason_of(stack, entry)
    assert reason is not None
    return {**reason, "verdict": Verdict(reason["verdict"])}


def _note(tracks: str | None) -> Callable[[World], None]:
    days = {PLAYS.source_id: {DAY, NEXT_DAY}, PACKED.source_id: set[str]()}
    return lambda world: Removals(world.s3, LAKE).note(EXECUTION, f"{RUN}-0", days, tracks)


def _removed(world: World, document: Document) -> object:
    world.put_object(document)
    return Removals(world.s3, LAKE).of(EXECUTION)


def _removed_before(world: World, document: Document) -> object:
    """What the execution that is followed has removed."""
    world.put_object(document)
    failed = f"{BATCH}-1"
    Removals(world.s3, LAKE).note(failed, "note", {PLAYS.source_id: {DAY}}, None)
    return Removals(world.s3, LAKE).of(document["key"].split("/")[3])


def _pinned(world: World) -> None:
    """A run reads reference data that was parsed before: it remembers which that was."""
    data = ReferenceData(MagicMock(), world.s3, LANDING, set, FOLDER, EXECUTION, RUN)
    nothing_in_force = "e3b0c44298fc1c149afbf4c8996fb924"
    data._remember(f"reference/{nothing_in_force}.json", _Kept("reference/abc/jr_1", 1_719_388_805_000))
    data.read()


def _reference_of(world: World, document: Document) -> object:
    """What a repeat of the run, or another run, reads: version, and where the songs and users lie."""
    world.put_object(document)
    spark = MagicMock()
    reference = ReferenceData(spark, world.s3, LANDING, set, FOLDER, EXECUTION, "another run").read()
    return reference.version, [call.args[0] for call in spark.read.schema.return_value.parquet.call_args_list]


_PINNED = (1_719_388_805_000, [f"s3://{LAKE}/reference/abc/jr_1/{kind}" for kind in ("songs", "users")])
_DOOMED = {OTHERS[0].source_id: Deleted(OTHERS[0].uri, "its gzip stream is damaged")}
_ERASED = Erased({PLAYS.source_id, OTHERS[0].source_id}, _DOOMED, {OTHERS[1].source_id}, {OTHERS[2].source_id})

# Loading a day.
_COUNTS = {"listen_count": 5, "unique_listeners": 2, "total_listening_time_ms": 1_000, "avg_hundredths_ms": 50_050}
_SONG = {"rank": 1, "track_id": TRACK, "track_name": "Söng", "artists": "Bänd"} | {
    name: _COUNTS[name] for name in ("listen_count", "unique_listeners", "total_listening_time_ms")
}
_GENRE = {"rank": 1, "genre": "pop", "listen_count": 5, "unique_listeners": 2, "total_listening_time_ms": 1_000}
_ROW: dict[str, Any] = {"day": DAY, **_COUNTS, "top_songs": None, "top_genres": None}
ROWS: list[dict[str, Any]] = [
    {"pk": "COUNTRY#FR", "sk": f"DAY#{DAY}", **_ROW, "top_songs": [_SONG]},
    {"pk": f"DAY#{DAY}", "sk": "SUMMARY", **_ROW, "top_genres": [_GENRE]},
    {"pk": "GENRE#pop", "sk": f"DAY#{DAY}", **_ROW, "top_songs": [_SONG]},
    {"pk": f"TRACK#{TRACK}", "sk": f"DAY#{DAY}", **_ROW},
]
"""A day as the transform hands it on in Parquet."""


def _load(world: World) -> None:
    """The load publishes a day."""
    write_manifest(world.s3, FOLDER, Manifest(BATCH, []))
    write_result(world.s3, FOLDER, RUN, Summary(BATCH, EXECUTION, 7, "lake-1", [DAY], f"metrics/{RUN}"))
    body = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(ROWS), body)
    key = FOLDER.key(f"metrics/{RUN}/part-0.parquet")
    world.s3.put_object(Bucket=LAKE, Key=key, Body=body.getvalue().to_pybytes())
    load_job.run(world.s3, world.dynamodb, FOLDER.manifest_uri, RUN, FILES, METRICS)


RUN_FOLDER = [
    Stored(
        **_object("runs/manifest", _arrived, "/manifest.json"),
        read=_read_object(_manifest_of),
        means=(_NEW, *_NEW_IDS),
        older={
            "content.sources.*.treatment": (_NEW, *_NEW_IDS),
            "content.days": (_NEW, *_NEW_IDS),
            "content.forget": (_NEW, *_NEW_IDS),
        },
    ),
    Stored(
        **_object("runs/manifest-of-treatments", _renewed, "/manifest.json"),
        read=_read_object(_manifest_of),
        means=(_TREATED, *_TREATED_IDS),
        older={"content.sources.*.treatment": (_UNTREATED, _UNTREATED.source_ids, [], [])},
    ),
    Stored(
        **_object("runs/manifest-of-rebuild", _order(REBUILD), "/manifest.json"),
        read=_read_object(_manifest_of),
        means=(Manifest(REBUILD.batch_id, [], [DAY, NEXT_DAY]), [], [], []),
    ),
    Stored(
        **_object("runs/manifest-of-forget", _order(FORGET), "/manifest.json"),
        read=_read_object(_manifest_of),
        means=(Manifest(FORGET.batch_id, [], [], [7]), [], [], []),
    ),
    Stored(
        **_object("runs/claimed", _claim, "-1.json"),
        read=_read_object(lambda world, folder: read_claimed(world.s3, folder, f"{folder.batch_id}-1")),
        means=_NEW,
        older={"content.sources.*.treatment": _NEW, "content.days": _NEW, "content.forget": _NEW},
    ),
    Stored(
        **_object("runs/result", _transform, f"/metrics/{RUN}/summary.json"),
        read=_read_object(lambda world, folder: read_result(world.s3, folder, RUN)),
        means=_RESULT,
        older={
            "content.forgotten": _RESULT,
            "content.sources.*.verdict": replace(_RESULT, sources=_WITHOUT_VERDICTS),
        },
    ),
    Stored(
        **_object("runs/load-report", _load, "/load.json"),
        read=_read_object(lambda world, folder: find_load_report(world.s3, folder, RUN)),
        means=LoadReport(4, 0),
    ),
    Stored(
        **_object("runs/summary", _settle, f"{BATCH}/summary.json"),
        read=_read_object(lambda world, folder: find_summary(world.s3, folder)),
        means=_SETTLED,
        older={"content.forgotten": replace(_SETTLED, forgotten=[])},
    ),
    Stored(
        **_object("runs/removal", _note(None), "/notes/jr_0123456789abcdef-0.json"),
        read=_removed,
        means=Removed({PLAYS.source_id: {DAY, NEXT_DAY}, PACKED.source_id: set()}, []),
    ),
    Stored(
        **_object("runs/removal-with-tracks", _note(f"s3://{LAKE}/tracks"), "/notes/jr_0123456789abcdef-0.json"),
        read=_removed,
        means=Removed({PLAYS.source_id: {DAY, NEXT_DAY}, PACKED.source_id: set()}, [f"s3://{LAKE}/tracks"]),
    ),
    Stored(
        **_object("runs/removal-of-attempt-before", _renewed, f"/after-{EXECUTION}.json"),
        read=_removed_before,
        means=Removed({PLAYS.source_id: {DAY}}),
    ),
    Stored(**_object("runs/reference", _pinned, f"/reference-{EXECUTION}.json"), read=_reference_of, means=_PINNED),
    Stored(
        **_object("runs/parsed-reference", _pinned, "e3b0c44298fc1c149afbf4c8996fb924.json"),
        read=_reference_of,
        means=_PINNED,
    ),
    Stored(
        **_object("runs/erased", lambda world: write_erased(world.s3, FOLDER, _ERASED), "/erased.json"),
        read=_read_object(lambda world, folder: read_erased(world.s3, folder)),
        means=_ERASED,
        older={
            "content.deleted": replace(_ERASED, doomed={}),
            "content.slow": replace(_ERASED, slow=set()),
            "content.failed": replace(_ERASED, failed=set()),
        },
    ),
    Stored(
        **_object("quarantine/reason", _settle, "/reason.json", LANDING),
        read=_reason,
        means={
            "source_id": PACKED.source_id,
            "object": PACKED.uri,
            "received_at": ARRIVED,
            "size": 400,
            "verdict": Verdict.TOO_MANY_BAD_ROWS,
            "detail": "of 4 rows read these were rejected: 3 bad_user_id",
            "what_to_do": "see the rejected counts; mend the producer, or raise MaxRejectedRatio; put it again",
        },
    ),
]


# ── Fences and metrics ────────────────────────────────────────────────────────────────────────────────────────────


def _fence(world: World) -> Document:
    _load(world)
    return world.item(FILES, source_id=f"FENCE#{DAY}")


def _behind_fence(world: World, document: Document) -> object:
    """What a fence makes of an older run, of a newer one that has lost a genre, and what is left then."""
    world.put_item(document)
    for pk, sk in (("GENRE#pop", f"DAY#{DAY}"), ("COUNTRY#FR", f"DAY#{DAY}"), ("GENRE#unlisted", f"DAY#{DAY}")):
        world.dynamodb.put_item(TableName=METRICS, Item={"pk": pk, "sk": sk, "version": 7, "lake_uuid": "lake-1"})
    country = {"pk": "COUNTRY#FR", "sk": f"DAY#{DAY}"}
    published = {}
    for version, lake in ((6, "lake-1"), (8, "lake-1"), (1, "lake-2")):
        stamp = Stamp(version, lake, BATCH, ARRIVED)
        item = {**country, "version": version, "lake_uuid": lake}
        published[version, lake] = Fence(world.dynamodb, FILES, METRICS, stamp).publish([Day(DAY, [item])])
    return published, sorted(item["pk"] for item in world.dynamodb.scan(TableName=METRICS)["Items"])


def _metrics_item(name: str, pk: str, sk: str, means: object) -> Stored:
    day = date.fromisoformat(DAY)

    def write(world: World) -> Document:
        _load(world)
        return world.item(METRICS, pk=pk, sk=sk)

    def read(world: World, document: Document) -> object:
        world.put_item(document)
        reader = MetricsReader(METRICS, world.dynamodb)
        read_by = {
            "genre": lambda: (reader.genre_day("pop", day), *reader.genres_of_day(day)),
            "country": lambda: (reader.country_day("FR", day), *reader.countries_of_day(day)),
            "day": lambda: (reader.day(day), *reader.items_of_day(day)),
            "track": lambda: (reader.track_day(TRACK, day),),
        }
        found = read_by[name]()
        assert len(set(found)) == 1, "the key and the index give the same"
        return found[0]

    return Stored(f"metrics/{name}", write, read, means)


_METRICS: dict[str, Any] = {
    "day": date.fromisoformat(DAY),
    "listen_count": 5,
    "unique_listeners": 2,
    "total_listening_time_ms": 1_000,
    "avg_listening_time_per_user_ms": Decimal("500.50"),
    "version": 7,
    "lake_uuid": "lake-1",
    "batch_id": BATCH,
    "updated_at": datetime(2024, 6, 26, 8, 10, 1, tzinfo=UTC),
}
_TOP_SONGS = (TopSong(1, TRACK, "Söng", "Bänd", 5, 2, 1_000),)
FENCES_AND_METRICS = [
    Stored(
        "metrics/fence",
        _fence,
        _behind_fence,
        # The fence lists GENRE#pop, so the newer run deletes it; of GENRE#unlisted it does not know.
        (
            {(6, "lake-1"): [], (8, "lake-1"): [DAY], (1, "lake-2"): [DAY]},
            ["COUNTRY#FR", "GENRE#unlisted"],
        ),
    ),
    _metrics_item("genre", "GENRE#pop", f"DAY#{DAY}", GenreDay(**_METRICS, genre="pop", top_songs=_TOP_SONGS)),
    _metrics_item("country", "COUNTRY#FR", f"DAY#{DAY}", CountryDay(**_METRICS, country="FR", top_songs=_TOP_SONGS)),
    _metrics_item(
        "day", f"DAY#{DAY}", "SUMMARY", DaySummary(**_METRICS, top_genres=(TopGenre(1, "pop", 5, 2, 1_000),))
    ),
    _metrics_item("track", f"TRACK#{TRACK}", f"DAY#{DAY}", TrackDay(**_METRICS, track_id=TRACK)),
]


# ── Messages ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(name: str, request: Attempt | Rebuild | Forget) -> Stored:
    return Stored(
        f"messages/{name}",
        lambda _: dict(json.loads(to_message(request))),
        lambda _, document: parse(json.dumps(document)),
        request,
    )


MESSAGES = [
    *(_message(f"attempt-{action.value.replace('_', '-')}", Attempt(PLAYS.source_id, 2, action)) for action in Action),
    _message("rebuild", REBUILD),
    _message("forget", FORGET),
    Stored(
        "messages/event",
        lambda _: dict(json.loads(event_of(PACKED))),
        lambda _, document: source_of(json.dumps(document), LANDING),
        PACKED,
        {"detail.object.size": replace(PACKED, size=0)},
    ),
    Stored(
        "messages/metrics-published",
        _published_event,
        lambda _, document: MetricsPublished.of_event(document),
        MetricsPublished(BATCH, 7, (date.fromisoformat(DAY), date.fromisoformat(NEXT_DAY)), 1, 8),
    ),
]


# ── Reports ───────────────────────────────────────────────────────────────────────────────────────────────────────

_FILE = FileFinding(
    PLAYS.source_id,
    PLAYS.key,
    State.FAILED,
    "its last attempt failed",
    ARRIVED,
    moment(4),
    "FAILED",
    "no memory",
    4,
    3,
    to_message(Attempt(PLAYS.source_id, 3, Action.REDRIVE)),
    [DAY],
    is_outlived=True,
)
_BAD_DAY = DayFinding(DAY, DayState.METRIC_DRIFT, "the items are not what the lake says", ["a difference"], 1, 7)
_FINDINGS = Findings(
    Window(DAY, NEXT_DAY, "incoming/2024"), ARRIVED, {"OK": 5, "FAILED": 1}, [_FILE], [_BAD_DAY], moment(4)
)
_AFTER = Findings(Window(DAY, NEXT_DAY), moment(9), {"OK": 6}, [], [replace(_BAD_DAY, state=DayState.OK)], moment(8))
_REPAIRS = [
    Repair(RepairKind.PUT_ASIDE, "plays.csv", "3 attempts failed", "{}", PLAYS.source_id, 4),
    Repair(RepairKind.REBUILD, DAY, "the items are not what the lake says", "{}", batch_id=BATCH),
]
_REPORT = Report(
    "20240626T080005000Z", "command line", dry_run=False, before=_FINDINGS, after=_AFTER, repairs=_REPAIRS, left=2
)
_PLANNED = replace(_REPORT, dry_run=True, after=None)
_RECORD = DayRecord(
    NEXT_DAY,
    ARRIVED,
    900.0,
    2,
    [2, *[0] * 23],
    [0, 1, *[0] * 22],
    {"ARCHIVED": 1, "QUARANTINED": 1},
    {"too_many_bad_rows": 1},
    14,
    8,
    {"bad_user_id": 3},
    2,
    1,
    Percentiles(60.5, 61.5, 62.5),
    {"judged": Percentiles(1.5, 2.5, 3.5)},
    1_234,
)
_LOOK = Inspection(_FINDINGS, [_RECORD])


def _reported(report: Report) -> Callable[[World], object]:
    return lambda world: Reports(world.s3, LAKE).write(report, [_RECORD])


def _drafted(world: World) -> Drafts:
    drafts = Drafts(world.s3, LAKE, "manual__2024-06-26")
    for when in ("before", "after"):
        drafts.write_look(when, _LOOK)
    drafts.write_plan(Plan(_REPAIRS, 2))
    return drafts


def _latest(world: World, document: Document) -> object:
    world.put_object(document)
    return Reports(world.s3, LAKE).latest()


def _named(world: World, document: Document) -> object:
    world.put_object(document)
    reports = Reports(world.s3, LAKE)
    assert list(reports.of_dates(NEXT_DAY, NEXT_DAY)) == [reports.named(_REPORT.run)]
    return reports.named(_REPORT.run)


def _records(world: World, document: Document) -> object:
    world.put_object(document)
    return Reports(world.s3, LAKE).records(DAY, NEXT_DAY)


def _upkeep(world: World, document: Document) -> object:
    world.put_object(document)
    return upkeep.read(world.s3, LAKE, RUN)


def _draft(world: World, document: Document) -> object:
    """What the steps that come later make of the draft, beside what they find of the others."""
    drafts = _drafted(world)
    world.put_object(document)
    return drafts.report("me", dry_run=False, is_asked=True)


_DRAFTED = (
    Report("20240626T080005000Z", "me", False, _FINDINGS, _FINDINGS, _REPAIRS, 2),
    [_RECORD],
)
_UPKEEP = upkeep.UpkeepReport(
    RUN,
    [
        upkeep.TableReport(
            "listens",
            upkeep.Size(10, 1_000, 3, 5),
            upkeep.Size(2, 900, 1, 4),
            0,
            6,
            ["2024-06-25: a run was changing it"],
        )
    ],
)
_BARE_FILE = FileFinding(PLAYS.source_id, PLAYS.key, State.FAILED, "its last attempt failed", ARRIVED)


_ADDED_TO_FILES = {
    "since": "since",
    "status": "status",
    "reason": "reason",
    "attempt": "attempt",
    "failures": "failures",
    "message": "message",
    "days": "days",
    "is_outlived": "is_outlived",
}
"""Stored fields that the reader does without, and what a finding calls them."""


def _with_file(**changes: Any) -> Report:
    return replace(_REPORT, before=replace(_FINDINGS, files=[replace(_FILE, **changes)]))


REPORTS = [
    Stored(**_object("reports/latest", _reported(_PLANNED), "latest.json"), read=_latest, means=_PLANNED),
    Stored(
        **_object("reports/reconciliation", _reported(_REPORT), f"{_REPORT.run}.json"),
        read=_named,
        means=_REPORT,
        older={
            **{
                f"content.before.files.*.{stored}": _with_file(**{ours: getattr(_BARE_FILE, ours)})
                for stored, ours in _ADDED_TO_FILES.items()
            },
            "content.before.window.prefix": replace(_REPORT, before=replace(_FINDINGS, window=Window(DAY, NEXT_DAY))),
            "content.before.days.*.version": replace(
                _REPORT, before=replace(_FINDINGS, days=[replace(_BAD_DAY, version=0)])
            ),
            "content.repairs.*.batch_id": replace(
                _REPORT, repairs=[replace(repair, batch_id="") for repair in _REPAIRS]
            ),
        },
    ),
    Stored(
        **_object("reports/day", _reported(_REPORT), f"reports/days/{NEXT_DAY}.json"),
        read=_records,
        means=[_RECORD],
        older={
            "content.cost_micro_usd": [replace(_RECORD, cost_micro_usd=0)],
            "content.published_by_hour": [replace(_RECORD, published_by_hour=[0] * 24)],
            "content.rejected": [replace(_RECORD, rejected={})],
        },
    ),
    Stored(**_object("reports/draft-before", _drafted, "before.json"), read=_draft, means=_DRAFTED),
    Stored(**_object("reports/draft-plan", _drafted, "plan.json"), read=_draft, means=_DRAFTED),
    Stored(**_object("reports/draft-after", _drafted, "after.json"), read=_draft, means=_DRAFTED),
    Stored(
        **_object(
            "reports/maintenance", lambda world: upkeep.write(world.s3, LAKE, _UPKEEP), f"maintenance/{RUN}.json"
        ),
        read=_upkeep,
        means=_UPKEEP,
    ),
]


# ── What the state machine passes ─────────────────────────────────────────────────────────────────────────────────

_ENVIRONMENT = {
    "FILES_TABLE": FILES,
    "ALERTS_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
    "MAX_FILE_BYTES": "1000",
    "TRANSFORM_LEAST_WORKERS": "2",
    "TRANSFORM_MOST_WORKERS": "10",
    "TRANSFORM_JOB": "transform-streams",
    "LOAD_JOB": "load-metrics",
    "POWERTOOLS_METRICS_NAMESPACE": "music-streams",
}
_FUNCTIONS = {
    "Claim sources": "claim",
    "Settle sources": "settle",
    "Archive sources": "archive",
    "Erase copies": "erase",
}


def _call(world: World, folder: str, given: dict[str, Any]) -> Any:
    """Invoke a function's real handler, with a topic for its alerts."""
    clients = {"s3": world.s3, "sns": MagicMock(), "events": MagicMock(), "glue": _glue({}), "stepfunctions": None}
    clients["events"].put_events.return_value = {"FailedEntryCount": 0}
    environment = {**_ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": folder}
    with (
        _without_copies(),
        patch("music_streams.aws.clients.client", clients.__getitem__),
        patch("music_streams.aws.clients.dynamodb", lambda: world.dynamodb),
    ):
        return invoke(Function("", folder, "", 60, {}), environment, given)


def _before(world: World, step: str) -> None:
    """What stands when a step begins."""
    if step == "Claim sources":
        _bring(world, PLAYS, _validate)
        write_manifest(world.s3, FOLDER, Manifest(BATCH, [_listed(PLAYS)]))
    else:
        _before_settling(world)
    if step == "Erase copies":
        write_manifest(world.s3, FOLDER, Manifest(BATCH, [], forget=[7]))
        write_summary(world.s3, FOLDER, replace(_SETTLED, forgotten=[]))


@cache
def _walked(world: World) -> dict[str, Document]:
    """What the state machine gives each step, and what it answers; jobs are not run."""
    execution = state_machine.Execution(ARN, {"manifest": FOLDER.manifest_uri})
    found = {}
    for step in state_machine.STEPS:
        if step in _FUNCTIONS:
            world.clear()
            _before(world, step)
            found[step] = execution.take(step, partial(_call, world, _FUNCTIONS[step]))
        else:
            found[step] = execution.take(step, lambda _: JOB_RUN)
    return found


_CHANGES = {
    "Claim sources": {PLAYS.source_id: Status.RUNNING},
    "Settle sources": {PLAYS.source_id: Status.PUBLISHED, PACKED.source_id: Status.QUARANTINED},
    "Archive sources": {PLAYS.source_id: Status.RUNNING, PACKED.source_id: Status.RUNNING},
    "Erase copies": {PLAYS.source_id: Status.RUNNING, PACKED.source_id: Status.RUNNING},
}


def _step(step: str, answer: Document, *later: str) -> Stored:
    def read(world: World, document: Document) -> object:
        _before(world, step)
        if step == "Archive sources":
            ledger = _ledger(world)
            ledger.publish(ledger.entries([PLAYS.source_id])[PLAYS.source_id], GOOD)
        answered = _call(world, _FUNCTIONS[step], document["input"])
        # What the state machine of an execution in flight takes of an answer must be there.
        assert {name: answered[name] for name in document["taken"]} == document["taken"]
        entries = _ledger(world).entries([PLAYS.source_id, PACKED.source_id])
        return answered, {source_id: entry.status for source_id, entry in entries.items()}

    changes = _CHANGES[step] | ({PLAYS.source_id: Status.ARCHIVED} if step == "Archive sources" else {})
    means = (answer, changes)
    return Stored(
        f"steps/{_FUNCTIONS[step]}",
        lambda world: _walked(world)[step],
        read,
        means,
        {f"input.{name}": means for name in later},
    )


def _glue(arguments: dict[str, str]) -> Any:
    """A client of Glue that lists one run with these arguments, alive until it is stopped."""
    run = {"Id": RUN, "JobRunState": "RUNNING", "StartedOn": datetime.now(UTC), "Arguments": arguments}
    glue = MagicMock()
    glue.get_paginator.return_value.paginate.side_effect = lambda **_: [{"JobRuns": [run]}]
    glue.batch_stop_job_run.side_effect = lambda **_: run.update(JobRunState="STOPPED")
    return glue


def _arguments(step: str, job: str) -> Callable[[World], Document]:
    return lambda world: {**_walked(world)[step]["input"], **state_machine.own_arguments(job)}


def _started(script: str, arguments: dict[str, str], patched: dict[str, Any]) -> None:
    """Run a job's script as Glue does, with arguments of Glue's own among them."""
    given = [part for pair in {**arguments, "--JOB_RUN_ID": RUN, "--TempDir": "s3://t/"}.items() for part in pair]
    with (
        patch.object(sys, "argv", [script, *given]),
        patch("pyspark.sql.SparkSession", MagicMock()),
        patch("music_streams.aws.logs.write_job_lines"),
    ):
        active = [patch(name, value) for name, value in patched.items()]
        for each in active:
            each.start()
        try:
            runpy.run_path(str(_ROOT / "glue" / script))
        finally:
            for each in active:
                each.stop()


def _transform_run(_: World, document: Document) -> object:
    """What the transform is about, and whether its run is found by the name of the execution."""
    run = MagicMock()
    numbers = {"--max_rejected_ratio": "0.2", "--max_days_per_file": "1000", "--publish_track_metrics": "true"}
    assert numbers.keys() <= document.keys()
    _started("transform_streams.py", {**document, **numbers}, {"music_streams.transform.spark.job.run": run})
    glue = _glue(document)
    with patch("music_streams.run.job_runs._POLL_SECONDS", 0):
        JobRuns(glue, ("a-job",)).end(EXECUTION, _no_time_limit)
    return run.call_args.args[-1], glue.batch_stop_job_run.call_count


def _load_run(_: World, document: Document) -> object:
    run = MagicMock()
    _started("load_metrics.py", document, {"music_streams.load.job.run": run})
    glue = _glue(document)
    with patch("music_streams.run.job_runs._POLL_SECONDS", 0):
        JobRuns(glue, ("a-job",)).end(EXECUTION, _no_time_limit)
    return run.call_args.args[2:], glue.batch_stop_job_run.call_count


def _maintain_run(_: World, document: Document) -> object:
    run = MagicMock()
    _started("maintain_lake.py", {**document, "--rejected_rows_days": "30"}, {"music_streams.maintain.job.run": run})
    return run.call_args.args[2:5]


def _start(world: World) -> Document:
    client = MagicMock()
    Executions(client, MACHINE).start(FOLDER, 1)
    started = client.start_execution.call_args.kwargs
    return {"name": started["name"], "input": json.loads(started["input"])}


def _failure(world: World, document: Document) -> object:
    """What becomes of an execution's file when it fails: all that is known of it are its name and input."""
    _bring(world, PLAYS, _validate, _run)
    write_manifest(world.s3, FOLDER, Manifest(BATCH, [_listed(PLAYS)]))
    detail = {
        "executionArn": f"{EXECUTIONS}:{document['name']}",
        "name": document["name"],
        "status": "FAILED",
        "input": json.dumps(document["input"]),
        "error": "no memory",
        "cause": None,
    }
    event = {"detail-type": "Step Functions Execution Status Change", "detail": detail}
    return _call(world, "record_failure", event), _ledger(world).entries([PLAYS.source_id])[PLAYS.source_id].status


STEPS = [
    Stored("steps/execution", _start, _failure, ({"failed": 1}, Status.FAILED)),
    _step("Claim sources", {"left": 0, "has_work": True, "forgets": False, "workers": 2}),
    _step("Settle sources", {"left": 0}, "transform_run", "load_run", "transform_run.ExecutionTime"),
    _step("Archive sources", {"left": 0}),
    _step("Erase copies", {"left": 0}),
    Stored(
        "jobs/transform",
        _arguments("Transform streams", "TransformJob"),
        _transform_run,
        (
            TransformRun(FOLDER, EXECUTION, RUN, "LandingBucket", Decimal("0.2"), 1000, publish_track_metrics=True),
            1,
        ),
    ),
    Stored(
        "jobs/load",
        _arguments("Load metrics", "LoadJob"),
        _load_run,
        ((FOLDER.manifest_uri, RUN, "FilesTable", "MetricsTable"), 1),
    ),
    Stored(
        "jobs/maintain",
        lambda _: {**state_machine.own_arguments("MaintainJob")},
        _maintain_run,
        ("LakeBucket", RUN, 30),
    ),
]

EVERYTHING = [*RUN_FOLDER, *LEDGER, *FENCES_AND_METRICS, *MESSAGES, *REPORTS, *STEPS]
