"""S3 as a directory: for S3 clients a fake with the calls that the transform makes, for Spark a mounted file system."""

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pyspark.sql import SparkSession


class DirectoryS3:
    """Buckets are directories below `root`; objects are files."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mount(self, spark: SparkSession, bucket: str) -> None:
        """Let Spark read and write s3://<bucket>/runs/… and s3://<bucket>/reference/…"""
        hadoop = spark.sparkContext._jsc.hadoopConfiguration()
        hadoop.set("fs.s3.impl", "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme")
        hadoop.set("fs.viewfs.overload.scheme.target.s3.impl", "org.apache.hadoop.fs.LocalFileSystem")
        for prefix in ("runs", "reference"):
            directory = self.path(bucket, prefix)
            directory.mkdir(parents=True, exist_ok=True)
            hadoop.set(f"fs.viewfs.mounttable.{bucket}.link./{prefix}", directory.as_uri())

    def path(self, bucket: str, key: str) -> Path:
        """Where an object lies."""
        return self._root / bucket / key

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803 - as boto3 names it
        path = self.path(Bucket, Key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)

    def get_object(self, *, Bucket: str, Key: str, Range: str = "") -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        try:
            content = self.path(Bucket, Key).read_bytes()
        except FileNotFoundError:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject") from None
        if Range:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            content = content[first : last + 1]
        return {"Body": io.BytesIO(content)}

    def copy(self, origin: dict[str, str], bucket: str, key: str) -> None:
        self.put_object(Bucket=bucket, Key=key, Body=self.get_object(**origin)["Body"].read())

    def get_paginator(self, operation: str) -> "DirectoryS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as boto3 names it
        """Pages of one object each."""
        root = self._root / Bucket
        folder = root / Prefix.rpartition("/")[0]
        keys = sorted(str(path.relative_to(root)) for path in folder.rglob("*") if path.is_file())
        for key in keys:
            if key.startswith(Prefix):
                modified = datetime.fromtimestamp((root / key).stat().st_mtime, UTC)
                etag = hashlib.md5((root / key).read_bytes(), usedforsecurity=False).hexdigest()
                yield {"Contents": [{"Key": key, "LastModified": modified, "ETag": f'"{etag}"'}]}
        yield {}
