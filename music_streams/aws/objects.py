"""Objects in S3: read, copy with verification, delete. Keys are arguments of API calls here, never file paths."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from music_streams.aws.clients import error_code, is_gone
from music_streams.errors import ArchiveMismatch, ObjectGone, Unreadable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef

# Error codes of S3 for an object that the pipeline cannot read, and what to do. The response to HEAD has no body: its
# code is the HTTP status. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ADVICE = {
    "InvalidObjectState": "it is in an archive storage class: restore it, or upload it again as STANDARD",
    "InvalidRequest": "it is probably encrypted with a customer-provided key (SSE-C): upload it again without one",
    "AccessDenied": "it is probably encrypted with a KMS key that the pipeline cannot use: upload it again without one",
    "KMS": "its KMS key cannot be used: upload it again without one",  # of KMS.DisabledException and others
    "400": "it is probably encrypted with a customer-provided key (SSE-C): upload it again without one",
    "403": "it is probably archived or encrypted with another key: upload it again as STANDARD, without a key",
}
_MAY_LACK_PERMISSION = {"AccessDenied", "403"}
_CHUNK_BYTES = 1024 * 1024
_COPY = TransferConfig(multipart_threshold=4 * 1024**3, multipart_chunksize=512 * 1024**2)
_CHECKSUMS = ("ChecksumSHA256", "ChecksumCRC64NVME", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumSHA1")


class ObjectArguments(TypedDict):
    """The arguments that identify an object in calls of S3; without VersionId, the newest version of the key."""

    Bucket: str
    Key: str
    VersionId: NotRequired[str]


@dataclass(frozen=True)
class Place:
    """The location of an object; `version_id` is '' for the newest version of the key."""

    bucket: str
    key: str
    version_id: str

    @property
    def uri(self) -> str:
        """The object's S3 URI, for messages."""
        version = f"?versionId={self.version_id}" if self.version_id else ""
        return f"s3://{self.bucket}/{self.key}{version}"

    @property
    def s3_arguments(self) -> ObjectArguments:
        """The keyword arguments that identify the object in calls of S3."""
        arguments = ObjectArguments(Bucket=self.bucket, Key=self.key)
        if self.version_id:
            arguments["VersionId"] = self.version_id
        return arguments


@dataclass(frozen=True)
class ObjectMetadata:
    """The metadata of an object: its size in bytes as stored, and when it was put, in whole seconds."""

    size: int
    modified_at: datetime


def read_chunks(s3: "S3Client", place: Place) -> Iterator[bytes]:
    """Yield the bytes of an object, 1 MiB at a time. Raises ObjectGone, or Unreadable if S3 does not return them."""
    with _translated_errors(s3, place, "read"):
        body = s3.get_object(**place.s3_arguments)["Body"]
    with closing(body):
        yield from body.iter_chunks(_CHUNK_BYTES)


def copy(s3: "S3Client", place: Place, bucket: str, key: str) -> None:
    """Copy an object to another bucket or key, in parts if it is too large for one call (5 GiB).

    Raises:
        ObjectGone: it does not exist.
        Unreadable: S3 does not return its bytes.
    """
    with _translated_errors(s3, place, "copied"):
        s3.copy(place.s3_arguments, bucket, key, Config=_COPY)


def move(s3: "S3Client", place: Place, key: str) -> None:
    """Copy an object to another key of its bucket, verify the copy, and delete the original.

    Idempotent: if only the copy exists, it stays. If :func:`copy_and_verify` raises, nothing is deleted.
    """
    copy_and_verify(s3, place, key)
    if place.key != key:
        s3.delete_object(**place.s3_arguments)


def copy_and_verify(s3: "S3Client", place: Place, key: str) -> None:
    """Copy an object to a key of its bucket and verify the copy; if it already has that key, only check that it exists.

    Raises:
        ObjectGone: neither the object nor a copy exists.
        Unreadable: S3 does not return the object's bytes.
        ArchiveMismatch: the copy differs.
    """
    target = Place(place.bucket, key, "")
    if place.key == key:
        if not exists(s3, target):
            raise ObjectGone(f"{target.uri} was deleted; upload it again if it is needed")
        return
    try:
        copy(s3, place, target.bucket, target.key)
    except ObjectGone:
        if not exists(s3, target):
            raise
        return
    if not _is_same(s3, place, target):
        raise ArchiveMismatch(f"the copy s3://{place.bucket}/{key} differs from {place.uri}, which was not deleted")


def exists(s3: "S3Client", place: Place) -> bool:
    """Whether the object exists, readable or not."""
    try:
        return _head(s3, place) is not None
    except Unreadable:
        return True


def read_metadata(s3: "S3Client", place: Place) -> ObjectMetadata | None:
    """Return the metadata of an object; None if it does not exist. Raises Unreadable if S3 does not return them."""
    head = _head(s3, place)
    return ObjectMetadata(head["ContentLength"], head["LastModified"]) if head else None


def is_readable(s3: "S3Client", place: Place) -> bool:
    """Whether an object exists and S3 returns its bytes."""
    try:
        next(read_chunks(s3, place), b"")
    except (ObjectGone, Unreadable):
        return False
    return True


@contextmanager
def _translated_errors(s3: "S3Client", place: Place, done: str) -> Iterator[None]:
    """Translate S3's errors about the object to ObjectGone or Unreadable, and re-raise others."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if is_gone(error) or (code in {"InvalidArgument", "400"} and _is_impossible_version(s3, place)):
            raise ObjectGone(
                f"{place.uri} was deleted before it was {done}; upload it again if it is needed"
            ) from error
        if advice := _ADVICE.get(code.partition(".")[0]):
            message = f"{place.uri} cannot be {done} ({code}): {advice}"
            raise Unreadable(message, may_lack_permission=code in _MAY_LACK_PERMISSION) from error
        raise


def _is_impossible_version(s3: "S3Client", place: Place) -> bool:
    """Whether S3 cannot have assigned the version id: GET then fails with InvalidArgument, and HEAD with 400."""
    if not place.version_id:
        return False
    try:
        s3.get_object(**place.s3_arguments)["Body"].close()
    except ClientError as error:
        return error_code(error) == "InvalidArgument"
    return False


def _head(s3: "S3Client", place: Place) -> "HeadObjectOutputTypeDef | None":
    try:
        with _translated_errors(s3, place, "inspected"):
            return s3.head_object(**place.s3_arguments, ChecksumMode="ENABLED")
    except ObjectGone:
        return None


def _is_same(s3: "S3Client", place: Place, target: Place) -> bool:
    """Whether a copy has the content of the original: the same size, and the same checksum, ETag or SHA-256.

    A checksum that S3 computed over the whole object is compared first, then the ETag, which is a digest of the
    content only if neither object was uploaded in parts. If neither is comparable, both objects are read.
    """
    original, copied = _head(s3, place), _head(s3, target)
    if original is None or copied is None or original["ContentLength"] != copied["ContentLength"]:
        return False
    for name in _CHECKSUMS:
        checksums = original.get(name), copied.get(name)
        if all(checksums) and not any("-" in str(checksum) for checksum in checksums):  # "-3": of three parts
            return checksums[0] == checksums[1]
    if "-" not in original["ETag"] + copied["ETag"]:
        return original["ETag"] == copied["ETag"]
    return _sha256(s3, place) == _sha256(s3, target)


def _sha256(s3: "S3Client", place: Place) -> str:
    digest = hashlib.sha256()
    for chunk in read_chunks(s3, place):
        digest.update(chunk)
    return digest.hexdigest()
