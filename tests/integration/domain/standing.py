"""Sources that stand where a story begins: in the ledger, and their object where it lies at that status."""

from typing import Any

from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment, batch_id_of
from music_streams.state.statuses import Status
from tests.integration.domain.world import GOOD, LANDING, World

_KEPT_UNDER = {Status.ARCHIVED: "archive", Status.RETRACTED: "archive", Status.QUARANTINED: "quarantine"}
_WITHOUT_EXECUTION = {Status.RECEIVED, Status.VALID}


def standing(world: World, status: Status, content: bytes = GOOD, key: str = "", **attributes: Any) -> Entry:
    """A source at a status since long ago, put there by an execution that nobody knows any more."""
    source = world.upload(content, key)
    batch_id = batch_id_of([source.source_id])
    held = {} if status in _WITHOUT_EXECUTION else {"execution_arn": world.execution_arn(f"{batch_id}-1")}
    if folder := _KEPT_UNDER.get(status):
        held["archive_key"] = move(world, source, folder)
    if status is Status.QUARANTINED:
        held["reason"] = "too_many_bad_rows"
    if status is Status.RECEIVED:
        batch_id = ""
    else:
        world.batch(source)  # for its manifest
    return world.put_entry(source, status, **({"batch_id": batch_id} | held | attributes))


def alive(world: World, status: Status, **attributes: Any) -> Entry:
    """A source at a status, and the execution that put it there still runs."""
    entry = standing(world, status, **attributes)
    world.sfn.start_execution(
        stateMachineArn=world.state_machine_arn, name=f"{entry.batch_id}-{entry.attempt}", input="{}"
    )
    return entry


def half_retracted(world: World) -> Entry:
    """A source that died between its archive and RETRACTED."""
    return standing(world, Status.ARCHIVED, treatment=Treatment.RETRACT)


def quarantined_in_place(world: World) -> Entry:
    """A source that the ledger has as quarantined while the object still lies where it landed."""
    entry = standing(world, Status.PUBLISHED)
    kept = entry.source.kept_key("quarantine")
    world.s3.put_object(Bucket=LANDING, Key=kept, Body=GOOD)
    return world.put_entry(entry.source, Status.QUARANTINED, archive_key=kept, reason="not_csv")


def move(world: World, source: Source, folder: str) -> str:
    """Move a file from where it landed to where it is kept; the key there."""
    kept = source.kept_key(folder)
    origin: Any = source.address
    world.s3.copy_object(CopySource=origin, Bucket=LANDING, Key=kept)
    world.s3.delete_object(**origin)
    return kept
