"""Published inputs move to archive/, and nothing else does."""

import itertools

import pytest

from music_streams.archive import archive_sources
from music_streams.ledger import Status
from tests.integration.domain.world import GOOD, Crash


def published(world, *sources, status=Status.PUBLISHED):
    folder = world.batch(*sources)
    world.batch(*sources, status=status, execution_arn=world.execution_arn(f"{folder.batch_id}-1"))
    return folder


def archive(world, folder):
    arn = world.execution_arn(f"{folder.batch_id}-1")
    return archive_sources(world.s3, world.ledger, folder.manifest_uri, arn)


def test_published_versions_move_to_the_archive(world):
    sources = [world.upload(b"%d" % n) for n in range(5)]
    assert archive(world, published(world, *sources)) == 5
    for n, source in enumerate(sources):
        entry = world.entry(source)
        assert (entry.status, entry.archive_key) == (Status.ARCHIVED, source.kept_key("archive"))
        assert world.content(entry.archive_key) == b"%d" % n
        assert not world.has(source)


@pytest.mark.parametrize("key", ["reference/songs/a.csv", "reference/users/a.csv"])
def test_a_reference_file_is_copied_and_stays(world, key):
    source = world.upload(key=key)
    assert archive(world, published(world, source)) == 1
    assert world.status(source) is Status.ARCHIVED
    assert world.content(source.kept_key("archive")) == GOOD
    assert world.has(source)


def test_two_versions_of_a_key_are_archived_apart(world):
    earlier, later = (world.upload(content, "incoming/same.csv") for content in (b"earlier", b"later"))
    archive(world, published(world, earlier))
    assert world.has(later)
    archive(world, published(world, later))
    assert world.content(world.entry(earlier).archive_key) == b"earlier"
    assert world.content(world.entry(later).archive_key) == b"later"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PUBLISHED])
def test_nothing_is_archived_that_is_not_published(world, status):
    source = world.upload()
    assert archive(world, published(world, source, status=status)) == 0
    assert world.has(source)
    assert world.content(source.kept_key("archive")) is None


def test_what_another_execution_published_is_left_to_it(world):
    source = world.upload()
    folder = world.batch(source, status=Status.PUBLISHED, execution_arn=world.execution_arn("other-1"))
    assert archive(world, folder) == 0
    assert world.has(source)


def test_a_repeat_archives_nothing_more(world):
    folder = published(world, world.upload())
    assert [archive(world, folder) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_archiving_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        source = world.upload()
        folder = published(world, source)
        try:
            with world.crash_at(call, is_done=is_done):
                archive(world, folder)
            break
        except Crash:
            assert world.has(source) or world.content(source.kept_key("archive")) == GOOD
            archive(world, folder)
        assert world.status(source) is Status.ARCHIVED
        assert world.content(source.kept_key("archive")) == GOOD
        assert not world.has(source)
    assert call > len(["manifest", "entry", "copy", "copy", "proof", "proof", "removal", "ledger"])
