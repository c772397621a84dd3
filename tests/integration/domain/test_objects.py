"""Object versions are read, copied with verification, and moved."""

import itertools
from functools import partial
from typing import Any

import pytest

from music_streams.aws import objects
from music_streams.errors import ArchiveMismatch, ObjectGone
from music_streams.state.sources import Source
from tests.integration.domain.world import GOOD, LAKE, LANDING, RECEIVED_AT, before_and_after


class Corrupting:
    """An S3 client whose copies have the wrong content."""

    def __init__(self, s3: Any, content: bytes) -> None:
        self._s3 = s3
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def copy(self, _origin: Any, bucket: str, key: str, **_options: Any) -> None:
        self._s3.put_object(Bucket=bucket, Key=key, Body=self._content)


KEYS = ["incoming/a b.csv", "incoming/a+b%20c.csv", "incoming/é𝄞.csv", "incoming//..//x.csv", "incoming/[x]?&=#.csv"]


def test_a_version_is_read_although_it_is_not_the_latest(world):
    earlier = world.upload(b"earlier", "incoming/twice.csv")
    later = world.upload(b"later", "incoming/twice.csv")
    assert [b"".join(objects.read_chunks(world.s3, source)) for source in (earlier, later)] == [b"earlier", b"later"]


def test_a_version_that_was_deleted_can_be_neither_read_nor_copied_nor_moved(world):
    deleted = world.upload()
    world.s3.delete_object(**deleted.s3_arguments)
    assert not objects.is_readable(world.s3, deleted)
    with pytest.raises(ObjectGone, match="deleted"):
        list(objects.read_chunks(world.s3, deleted))
    with pytest.raises(ObjectGone):
        objects.copy(world.s3, deleted, LAKE, "x")
    with pytest.raises(ObjectGone):
        objects.move(world.s3, deleted, "archive/nothing.csv")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_special_characters_is_used_literally(world, key):
    source = world.upload(key.encode(), key)
    assert b"".join(objects.read_chunks(world.s3, source)) == key.encode()
    objects.copy(world.s3, source, LAKE, "copied")
    assert world.content("copied", LAKE) == key.encode()


def test_a_move_moves_only_the_given_version(world):
    earlier = world.upload(b"earlier", "incoming/versions.csv")
    later = world.upload(b"later", "incoming/versions.csv")
    objects.move(world.s3, earlier, "archive/versions.csv")
    assert world.content("archive/versions.csv") == b"earlier"
    assert (world.is_at_landing_key(earlier), world.is_at_landing_key(later)) == (False, True)
    assert world.content("incoming/versions.csv") == b"later"


@pytest.mark.parametrize("content", [b"", GOOD[:-1], GOOD[:-1] + b"x"], ids=["empty", "shorter", "other"])
def test_a_copy_that_differs_is_rejected_and_the_original_stays(world, content):
    source = world.upload()
    corrupting: Any = Corrupting(world.s3, content)
    with pytest.raises(ArchiveMismatch, match="which was not deleted"):
        objects.move(corrupting, source, "archive/corrupt.csv")
    assert world.is_at_landing_key(source)


def multipart(world, *parts: bytes) -> Source:
    """A multipart object version, whose ETag is not a digest of its content."""
    key = f"incoming/{world.name('parts')}.csv"
    upload = world.s3.create_multipart_upload(Bucket=LANDING, Key=key)["UploadId"]
    target = {"Bucket": LANDING, "Key": key, "UploadId": upload}
    etags = [
        {"PartNumber": n, "ETag": world.s3.upload_part(**target, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    done = world.s3.complete_multipart_upload(**target, MultipartUpload={"Parts": etags})
    return Source(LANDING, key, done["VersionId"], sum(map(len, parts)), RECEIVED_AT)


BIG = b"a" * 5 * 1024 * 1024


def test_a_multipart_object_is_moved_unless_its_copy_differs(world):
    source = multipart(world, BIG, b"tail")
    corrupting: Any = Corrupting(world.s3, BIG + b"tale")
    with pytest.raises(ArchiveMismatch):
        objects.move(corrupting, source, "archive/parts.csv")
    assert world.is_at_landing_key(source)
    objects.move(world.s3, source, "archive/parts.csv")
    assert world.content("archive/parts.csv") == BIG + b"tail"


@before_and_after
def test_a_move_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        source = world.upload()
        key = f"archive/{world.name('moved')}.csv"
        move = partial(objects.move, world.s3, source, key)
        if not world.crashes(move, call, is_done=is_done):
            break
        assert world.is_at_landing_key(source) or world.content(key) == GOOD
        move()
        assert world.content(key) == GOOD
        assert not world.is_at_landing_key(source)
    assert call > len(["copy", "copy", "proof", "proof", "removal"])
