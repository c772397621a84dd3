"""Documents that validate stores and reads: messages, manifests, and the note that links a run to a failed attempt."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from music_streams.ingest.batches import Batches, PendingSource
from music_streams.ingest.intake import Intake
from music_streams.ingest.s3_events import event_of, source_of
from music_streams.run.claim import claim_sources
from music_streams.state.removed_rows import RemovalRecords, RemovedRows
from music_streams.state.requests import Action, Forget, Rebuild, SourceRequest, parse, to_message
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, read_claimed, read_manifest
from music_streams.state.sources import Treatment, batch_id_of
from music_streams.validation.file_verdicts import Validation
from tests.compatibility.stored.kinds import Stored, in_s3, of_run
from tests.compatibility.stored.moves import TO_ARCHIVED, TO_FAILED, TO_REJECTED, advance, ledger_of, without_copies
from tests.compatibility.stored.run import BATCH, DAY, EXECUTION, EXECUTIONS, NEXT_DAY
from tests.compatibility.stored.sources import ARRIVED, HEADER, OTHERS, PACKED, PLAYS, SONGS, in_order, listed
from tests.compatibility.world import LAKE, LANDING, World

REBUILD = Rebuild([DAY, NEXT_DAY], ARRIVED)
FORGET = Forget(7, ARRIVED)


def _make_valid(world: World, *pending: PendingSource) -> None:
    with without_copies():
        Batches(world.s3, ledger_of(world), LAKE).prepare(list(pending))


def _arrived(world: World) -> None:
    """Make three new files VALID."""
    is_gzip = {PLAYS: False, PACKED: True, SONGS: False}
    validations = {source: Validation(None, header=HEADER, is_gzip=is_gzip[source]) for source in is_gzip}
    _make_valid(world, *(PendingSource(advance(world, key), validation=value) for key, value in validations.items()))


def _renewed(world: World) -> None:
    """Make files VALID for a new attempt, each with another treatment that operators requested."""
    validation = Validation(None, header=HEADER)
    _make_valid(
        world,
        PendingSource(advance(world, OTHERS[0], *TO_REJECTED), Treatment.ACCEPT_BAD_ROWS, validation),
        PendingSource(advance(world, OTHERS[1], *TO_REJECTED), Treatment.ACCEPT_MANY_DAYS, validation),
        PendingSource(advance(world, OTHERS[2], *TO_ARCHIVED), Treatment.RETRACT),
        PendingSource(advance(world, OTHERS[3], *TO_FAILED), Treatment.PUT_ASIDE),
    )


def _order(request: Rebuild | Forget) -> Callable[[World], None]:
    """Return a function with which validate processes a request for a run without sources."""

    def process(world: World) -> None:
        unused: Any = None
        intake = Intake(world.s3, unused, unused, unused, unused, LANDING, LAKE, 300.0, 300.0, 1_000)
        intake.start_invocation(lambda: 300.0).process(to_message(request))

    return process


def _claim(world: World) -> None:
    """Claim the new files for an execution."""
    _arrived(world)
    uri = RunFolder(LAKE, _NEW.batch_id).manifest_uri
    claim_sources(world.s3, ledger_of(world), uri, f"{EXECUTIONS}:{_NEW.batch_id}-1", lambda: True)


def _removed_before(s3: Any, key: str) -> object:
    """Return what an execution that follows a failed one reads of the latter's removals."""
    RemovalRecords(s3, LAKE).write(f"{BATCH}-1", "note", {PLAYS.source_id: {DAY}}, None)
    return RemovalRecords(s3, LAKE).read(key.split("/")[3])


def _manifest_of(s3: Any, folder: RunFolder) -> object:
    manifest = read_manifest(s3, folder)
    return manifest, *_ids(manifest.streams, manifest.retracted, manifest.quarantined)


def _ids(*parts: Iterable[ManifestSource]) -> list[list[str]]:
    return [sorted(source.source_id for source in part) for part in parts]


def _manifest(name: str, act: Callable[[World], None], means: object, older: dict[str, object] | None = None) -> Stored:
    return in_s3(f"runs/{name}", act, "/manifest.json", of_run(_manifest_of), means, older)


def _message(name: str, request: SourceRequest | Rebuild | Forget) -> Stored:
    return Stored(
        f"messages/{name}",
        lambda _: dict(json.loads(to_message(request))),
        lambda _, document: parse(json.dumps(document)),
        request,
    )


_STREAMS = in_order(listed(PLAYS), listed(PACKED, ".csv.gz"))
_NEW = Manifest(batch_id_of(source.source_id for source in (PLAYS, PACKED, SONGS)), in_order(*_STREAMS, listed(SONGS)))
_NEW_MEANS = (_NEW, *_ids(_STREAMS, [], []))
_ABSENT = ("content.sources.*.treatment", "content.days", "content.forget")
_TREATMENTS = (Treatment.ACCEPT_BAD_ROWS, Treatment.ACCEPT_MANY_DAYS, Treatment.RETRACT, Treatment.PUT_ASIDE)
_LISTED = [listed(source, treatment=treatment) for source, treatment in zip(OTHERS, _TREATMENTS, strict=True)]
_TREATED = Manifest(batch_id_of(source.source_id for source in OTHERS), in_order(*_LISTED))
_TREATED_MEANS = (_TREATED, *_ids(_LISTED[:2], _LISTED[2:3], _LISTED[3:]))
_UNTREATED = replace(_TREATED, sources=[replace(source, treatment="") for source in _TREATED.sources])
_UNTREATED_MEANS = (_UNTREATED, *_ids(_LISTED, [], []))
_REBUILT = (Manifest(REBUILD.batch_id, [], [DAY, NEXT_DAY]), *_ids([], [], []))
_FORGOTTEN = (Manifest(FORGET.batch_id, [], [], [7]), *_ids([], [], []))
_read_claimed = of_run(lambda s3, folder: read_claimed(s3, folder, f"{folder.batch_id}-1"))
_REMOVED = RemovedRows({PLAYS.source_id: {DAY}})
INTAKE = [
    _manifest("manifest", _arrived, _NEW_MEANS, dict.fromkeys(_ABSENT, _NEW_MEANS)),
    _manifest("manifest-of-treatments", _renewed, _TREATED_MEANS, {_ABSENT[0]: _UNTREATED_MEANS}),
    _manifest("manifest-of-rebuild", _order(REBUILD), _REBUILT),
    _manifest("manifest-of-forget", _order(FORGET), _FORGOTTEN),
    in_s3("runs/claimed", _claim, "-1.json", _read_claimed, _NEW, dict.fromkeys(_ABSENT, _NEW)),
    in_s3("runs/removal-of-attempt-before", _renewed, f"/after-{EXECUTION}.json", _removed_before, _REMOVED),
    *(
        _message(f"attempt-{action.value.replace('_', '-')}", SourceRequest(PLAYS.source_id, 2, action))
        for action in Action
    ),
    _message("rebuild", REBUILD),
    _message("forget", FORGET),
    Stored(
        "messages/event",
        lambda _: dict(json.loads(event_of(PACKED))),
        lambda _, document: source_of(json.dumps(document), LANDING),
        PACKED,
        {"detail.object.size": replace(PACKED, size=0)},
    ),
]
