"""S3 in a directory: for the transform a fake client with the calls that it makes, for Spark a mounted file system."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from pyspark.sql import SparkSession


class DirectoryS3:
    """Buckets are directories below `root`; objects are files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._metadata: dict[tuple[str, str], dict[str, str]] = {}

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
        """Return the path of an object."""
        return self._root / bucket / key

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803 - as boto3 names it
        path = self.path(Bucket, Key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)

    def upload_fileobj(self, file: IO[bytes], bucket: str, key: str, ExtraArgs: dict[str, Any]) -> None:  # noqa: N803 - as boto3 names it
        self.put_object(Bucket=bucket, Key=key, Body=file.read())
        self._metadata[bucket, key] = ExtraArgs["Metadata"]

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        self.get_object(Bucket=Bucket, Key=Key)
        modified = datetime.fromtimestamp(self.path(Bucket, Key).stat().st_mtime, UTC)
        return {"LastModified": modified, "Metadata": self._metadata.get((Bucket, Key), {})}

    def get_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        try:
            content = self.path(Bucket, Key).read_bytes()
        except FileNotFoundError:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject") from None
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def copy(self, origin: dict[str, str], bucket: str, key: str, **_: Any) -> None:
        self.put_object(Bucket=bucket, Key=key, Body=self.get_object(**origin)["Body"].read())

    def get_paginator(self, operation: str) -> "DirectoryS3":
        assert operation in {"list_objects_v2", "list_object_versions"}
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as boto3 names it
        """Yield pages of one object each with its only version, in the format of both listings."""
        root = self._root / Bucket
        folder = root / Prefix.rpartition("/")[0]
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key, stat = str(path.relative_to(root)), path.stat()
            if key.startswith(Prefix):
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                listed = {"Key": key, "Size": stat.st_size, "LastModified": modified}
                yield {"Contents": [listed], "Versions": [listed | {"VersionId": str(stat.st_mtime_ns)}]}
        yield {}
