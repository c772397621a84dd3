"""The S3 calls of the pipeline, in memory: versioned buckets, copies, listings; strongly consistent, as S3 is."""

# ruff: noqa: N803 - the arguments are named as boto3 names them

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

DELETE_MARKER = None


@dataclass(frozen=True)
class Version:
    """One version of an object; `content` is DELETE_MARKER where a delete without a version left a marker."""

    version_id: str
    content: bytes | None
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content or b"", usedforsecurity=False).hexdigest()}"'

    @property
    def listed(self) -> dict[str, Any]:
        return {"Size": len(self.content or b""), "LastModified": self.modified, "ETag": self.etag}


class StreamedBody(io.BytesIO):
    """The body of a response of get_object."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


class MemoryS3:
    """Buckets, some of them versioned.

    Attributes:
        damages_copies: while it is set, a copy within a bucket loses its last byte.
    """

    def __init__(
        self,
        versioned: set[str],
        now: Callable[[], datetime],
        on_delete: Callable[[str, str, Version], None] = lambda *_: None,
    ) -> None:
        """`on_delete` is called with bucket, key and version before an object is deleted or hidden by a marker."""
        self.damages_copies = False
        self._versioned = versioned
        self._now = now
        self._on_delete = on_delete
        self._objects: dict[tuple[str, str], list[Version]] = {}
        self._count = 0

    def content(self, bucket: str, key: str, version_id: str = "") -> bytes | None:
        """Return the bytes of an object; None if there is none. For tests: no AWS call."""
        version = self._find(bucket, key, version_id)
        return version.content if version else None

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the listed keys of a bucket. For tests: no AWS call."""
        stored = (key for owner, key in self._objects if owner == bucket and key.startswith(prefix))
        return sorted(key for key in stored if self._find(bucket, key))

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "", **_: Any) -> dict[str, Any]:
        if IfNoneMatch and self._find(Bucket, Key):
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": Key}}, "PutObject")
        return {"VersionId": self._add(Bucket, Key, Body)}

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "", Range: str = "") -> dict[str, Any]:
        content = self._get("GetObject", Bucket, Key, VersionId).content or b""
        if Range:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            content = content[first : last + 1]
        return {"Body": StreamedBody(content)}

    def head_object(self, *, Bucket: str, Key: str, VersionId: str = "", **_: Any) -> dict[str, Any]:
        version = self._get("HeadObject", Bucket, Key, VersionId)
        return {"ContentLength": len(version.content or b""), "ETag": version.etag, "LastModified": version.modified}

    def copy(self, origin: dict[str, str], bucket: str, key: str, **_: Any) -> None:
        content = self._get("CopyObject", origin["Bucket"], origin["Key"], origin.get("VersionId", "")).content or b""
        is_damaged = self.damages_copies and origin["Bucket"] == bucket
        self._add(bucket, key, content[:-1] if is_damaged else content)

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        versions = self._objects.get((Bucket, Key), [])
        only_hides = Bucket in self._versioned and not VersionId
        affected = versions[-1:] if only_hides else [v for v in versions if not VersionId or v.version_id == VersionId]
        for version in affected:
            if version.content is not DELETE_MARKER:
                self._on_delete(Bucket, Key, version)
            if not only_hides:
                versions.remove(version)
        if only_hides:
            self._add(Bucket, Key, DELETE_MARKER)
        return {}

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self, operation)

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:
        versions = [(key, self._find(Bucket, key)) for key in self.keys(Bucket, Prefix)]
        return {"Contents": [{"Key": key, **version.listed} for key, version in versions if version]}

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:
        return {
            "Versions": [
                {"Key": key, "VersionId": version.version_id, "IsLatest": version is versions[-1], **version.listed}
                for (bucket, key), versions in sorted(self._objects.items())
                if bucket == Bucket and key.startswith(Prefix)
                for version in versions
                if version.content is not DELETE_MARKER
            ]
        }

    def _add(self, bucket: str, key: str, content: bytes | None) -> str:
        self._count += 1
        version = Version(f"v{self._count}", content, self._now())
        if bucket in self._versioned:
            self._objects.setdefault((bucket, key), []).append(version)
        else:
            self._objects[bucket, key] = [version]
        return version.version_id

    def _find(self, bucket: str, key: str, version_id: str = "") -> Version | None:
        versions = self._objects.get((bucket, key), [])
        if not version_id:
            return versions[-1] if versions and versions[-1].content is not DELETE_MARKER else None
        return next((version for version in versions if version.version_id == version_id), None)

    def _get(self, operation: str, bucket: str, key: str, version_id: str) -> Version:
        version = self._find(bucket, key, version_id)
        if version is None:
            code = "NoSuchVersion" if version_id else "NoSuchKey"
            raise ClientError({"Error": {"Code": code, "Message": f"{bucket}/{key}"}}, operation)
        return version


@dataclass(frozen=True)
class _Pages:
    """A paginator with one page."""

    s3: MemoryS3
    operation: str

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        assert self.operation in {"list_objects_v2", "list_object_versions"}
        yield getattr(self.s3, self.operation)(**arguments)
