"""Sources with a status in the ledger, and their objects at the location that belongs to it."""

from typing import Any

from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment, batch_id_of
from music_streams.state.statuses import Status
from tests.integration.domain.world import GOOD, LANDING, World

_KEPT_UNDER = {Status.ARCHIVED: "archive", Status.RETRACTED: "archive", Status.QUARANTINED: "quarantine"}
_WITHOUT_EXECUTION = {Status.RECEIVED, Status.VALID}


def stored_entry(world: World, status: Status, content: bytes = GOOD, key: str = "", **attributes: Any) -> Entry:
    """A source that has had a status for a long time; its execution is unknown to Step Functions."""
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
        world.batch(source)  # This writes its manifest.
    return world.put_entry(source, status, **({"batch_id": batch_id} | held | attributes))


def alive(world: World, status: Status, **attributes: Any) -> Entry:
    """A source with a status, whose execution is running."""
    entry = stored_entry(world, status, **attributes)
    world.sfn.start_execution(
        stateMachineArn=world.state_machine_arn, name=f"{entry.batch_id}-{entry.attempt}", input="{}"
    )
    return entry


def half_retracted(world: World) -> Entry:
    """A source whose run crashed between ARCHIVED and RETRACTED."""
    return stored_entry(world, Status.ARCHIVED, treatment=Treatment.RETRACT)


def quarantined_in_place(world: World) -> Entry:
    """A source that is QUARANTINED in the ledger while its object is still where it landed."""
    entry = stored_entry(world, Status.PUBLISHED)
    kept = entry.source.kept_key("quarantine")
    world.s3.put_object(Bucket=LANDING, Key=kept, Body=GOOD)
    return world.put_entry(entry.source, Status.QUARANTINED, archive_key=kept, reason="not_csv")


def move(world: World, source: Source, folder: str) -> str:
    """Move a file from where it landed to `folder`; return its new key."""
    kept = source.kept_key(folder)
    origin = source.s3_arguments
    world.s3.copy_object(CopySource=origin, Bucket=LANDING, Key=kept)
    world.s3.delete_object(**origin)
    return kept
