"""Published files, and only these, move to archive/."""

import itertools
from typing import Any
from unittest.mock import patch

import pytest

from music_streams.errors import ArchiveMismatch, ObjectGone
from music_streams.run.archive import archive_source
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.stored_sources import stored_entry
from tests.integration.domain.test_objects import BIG, multipart
from tests.integration.domain.world import GOOD, before_and_after


def published(world, *sources, status=Status.PUBLISHED):
    """A run that holds its sources with a status."""
    run = Run.of(world, *sources)
    world.batch(*sources, status=status, execution_arn=run.arn)
    return run


def test_published_versions_are_archived_once_although_the_step_is_repeated(world):
    sources = [world.upload(b"%d" % n) for n in range(5)]
    run = published(world, *sources)
    assert run.archive() == 0
    for n, source in enumerate(sources):
        entry = world.entry(source)
        assert (entry.status, entry.archive_key) == (Status.ARCHIVED, source.kept_key("archive"))
        assert world.content(entry.archive_key) == b"%d" % n
        assert not world.is_at_landing_key(source)
    before = [world.item(source) for source in sources]
    assert run.archive() == 0
    assert [world.item(source) for source in sources] == before


@pytest.mark.parametrize("key", ["reference/songs/a.csv", "reference/users/a.csv"])
def test_a_reference_file_is_copied_and_stays_where_it_landed(world, key):
    source = world.upload(key=key)
    assert published(world, source).archive() == 0
    assert world.status(source) is Status.ARCHIVED
    assert world.content(source.kept_key("archive")) == GOOD
    assert world.is_at_landing_key(source)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PUBLISHED])
def test_a_source_that_is_not_published_is_not_archived(world, status):
    source = world.upload()
    assert published(world, source, status=status).archive() == 0
    assert world.is_at_landing_key(source)
    assert world.content(source.kept_key("archive")) is None


def test_a_source_of_another_execution_is_not_archived(world):
    source = world.upload()
    run = published(world, source)
    world.put_entry(source, Status.PUBLISHED, execution_arn=world.execution_arn("other-1"))
    assert run.archive() == 0
    assert world.is_at_landing_key(source)


@before_and_after
def test_archiving_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        source = world.upload()
        run = published(world, source)
        if not world.crashes(run.archive, call, is_done=is_done):
            break
        assert world.is_at_landing_key(source) or world.content(source.kept_key("archive")) == GOOD
        run.archive()
        assert world.status(source) is Status.ARCHIVED
        assert world.content(source.kept_key("archive")) == GOOD
        assert not world.is_at_landing_key(source)
    assert call > len(["manifest", "entry", "copy", "copy", "proof", "proof", "removal", "ledger"])


# ── A copy is verified before the original is deleted ──


@pytest.mark.parametrize(
    "stored", [b"", GOOD[:-1], GOOD[:-1] + b"x", GOOD * 2], ids=["empty", "short", "other", "long"]
)
def test_a_source_stays_until_its_copy_has_its_size_and_checksum(world, stored):
    entry = stored_entry(world, Status.PUBLISHED)

    def copy(_origin: Any, bucket: str, key: str, **_: Any) -> None:
        world.s3.put_object(Bucket=bucket, Key=key, Body=stored)

    with patch.object(world.s3, "copy", copy), pytest.raises(ArchiveMismatch):
        archive_source(world.s3, world.ledger, entry)
    assert world.status(entry.source) is Status.PUBLISHED
    assert world.is_at_landing_key(entry.source)
    archive_source(world.s3, world.ledger, entry)
    assert world.content(world.entry(entry.source).archive_key) == GOOD


def test_a_copy_of_another_size_is_rejected_although_its_checksum_is_equal(world):
    entry = stored_entry(world, Status.PUBLISHED)
    key, real_head_object = entry.source.kept_key("archive"), world.s3.head_object

    def head_object(**arguments: Any) -> dict[str, Any]:
        response: dict[str, Any] = real_head_object(**arguments)
        return response | ({"ContentLength": response["ContentLength"] - 1} if arguments["Key"] == key else {})

    with patch.object(world.s3, "head_object", head_object), pytest.raises(ArchiveMismatch):
        archive_source(world.s3, world.ledger, entry)
    assert world.is_at_landing_key(entry.source)


def test_an_object_with_other_content_at_the_archive_key_is_overwritten(world):
    entry = stored_entry(world, Status.PUBLISHED)
    key = entry.source.kept_key("archive")
    world.s3.put_object(Bucket=entry.source.bucket, Key=key, Body=b"of somebody else")
    archive_source(world.s3, world.ledger, entry)
    assert world.content(key) == GOOD
    assert not world.is_at_landing_key(entry.source)


def test_a_multipart_upload_is_archived(world):
    source = multipart(world, BIG, b"tail")
    published(world, source).archive()
    assert world.content(world.entry(source).archive_key) == BIG + b"tail"
    assert not world.is_at_landing_key(source)


def test_a_published_source_whose_object_is_gone_stays_published(world):
    entry = stored_entry(world, Status.PUBLISHED)
    world.s3.delete_object(**entry.source.s3_arguments)
    with pytest.raises(ObjectGone):
        archive_source(world.s3, world.ledger, entry)
    assert world.entry(entry.source) == entry


def test_a_released_source_moves_from_quarantine_to_the_archive(world):
    quarantined = stored_entry(world, Status.QUARANTINED)
    source, kept = quarantined.source, quarantined.archive_key
    entry = world.put_entry(source, Status.PUBLISHED, execution_arn="arn", archive_key=kept)
    archive_source(world.s3, world.ledger, entry)
    assert world.entry(source).archive_key == source.kept_key("archive")
    assert world.content(source.kept_key("archive")) == GOOD
    assert world.content(kept) is None


@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.ARCHIVED])
def test_a_source_to_retract_becomes_retracted_and_its_file_is_kept(world, status):
    entry = stored_entry(world, status, treatment=Treatment.RETRACT)
    run = Run.holding(world, entry.source)
    world.batch(entry.source, status=status, execution_arn=run.arn, treatment="retract", archive_key=entry.archive_key)
    assert run.archive() == 0
    assert world.status(entry.source) is Status.RETRACTED
    assert world.content(world.entry(entry.source).archive_key) == GOOD
    assert not world.is_at_landing_key(entry.source)
