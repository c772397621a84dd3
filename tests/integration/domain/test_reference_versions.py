"""A run reads the newest accepted version of each reference key."""

import pytest

from music_streams.state.run_files import RunFolder
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams.transform.spark.reference_data import ReferenceData
from tests.integration.domain.world import LAKE, LANDING, World

PREFIX = "reference/songs/"


@pytest.fixture
def versions_in_use(world):
    """Returns the contents of the versions that a run reads."""

    def read(prefix: str = PREFIX) -> list[bytes | None]:
        data = ReferenceData(None, world.s3, LANDING, world.ledger.accepted_ids, RunFolder(LAKE, "b"), "b-1", "jr_1")  # type: ignore[arg-type]  # Spark is not asked
        return [world.s3.get_object(**source.s3_arguments)["Body"].read() for source in data._in_use(prefix)]

    return read


def put(world: World, key: str, content: bytes, status: Status | None, **attributes: object) -> Source:
    """A version with a status; without a ledger entry if the status is None."""
    source = world.land(content, key)
    if status:
        world.put_entry(source, status, **attributes)
    return source


VALIDATED = {"validated_at": "2026-11-21T21:03:30.000Z"}


@pytest.mark.parametrize(
    ("status", "attributes", "is_read"),
    [
        (None, {}, False),
        (Status.RECEIVED, {}, False),
        (Status.FAILED, {"reason": "unreadable"}, False),
        (Status.QUARANTINED, {"reason": "not_csv"}, False),
        (Status.QUARANTINED, {"reason": "too_many_attempts"} | VALIDATED, False),
        (Status.ARCHIVED, {"treatment": "retract"} | VALIDATED, False),
        (Status.RETRACTED, {"treatment": "retract"} | VALIDATED, False),
        (Status.RUNNING, {"treatment": "put_aside"} | VALIDATED, False),
        (Status.VALID, VALIDATED, True),
        (Status.RUNNING, VALIDATED, True),
        (Status.FAILED, {"reason": "no_reference_data"} | VALIDATED, True),
        (Status.ARCHIVED, VALIDATED, True),
    ],
)
def test_only_a_version_that_validation_accepted_is_read(world, versions_in_use, status, attributes, is_read):
    prefix = f"{PREFIX}{world.name('folder')}/"
    put(world, f"{prefix}a.csv", b"the file", status, **attributes)
    assert versions_in_use(prefix) == ([b"the file"] if is_read else [])


def test_of_each_key_the_newest_accepted_version_is_read(world, versions_in_use):
    prefix = f"{PREFIX}{world.name('folder')}/"
    for name in ("a.csv", "b.CSV"):
        put(world, prefix + name, b"old " + name.encode(), Status.ARCHIVED, **VALIDATED)
        put(world, prefix + name, b"accepted " + name.encode(), Status.ARCHIVED, **VALIDATED)
        put(world, prefix + name, b"nobody can read this", Status.FAILED, reason="unreadable")
        put(world, prefix + name, b"just landed", None)
    put(world, f"{prefix}c.txt", b"no csv", Status.ARCHIVED, **VALIDATED)
    assert versions_in_use(prefix) == [b"accepted a.csv", b"accepted b.CSV"]


def test_no_version_of_a_deleted_key_is_read(world, versions_in_use):
    prefix = f"{PREFIX}{world.name('folder')}/"
    put(world, f"{prefix}a.csv", b"deleted", Status.ARCHIVED, **VALIDATED)
    world.s3.delete_object(Bucket=LANDING, Key=f"{prefix}a.csv")
    assert versions_in_use(prefix) == []
    put(world, f"{prefix}a.csv", b"put again", Status.ARCHIVED, **VALIDATED)
    assert versions_in_use(prefix) == [b"put again"]
