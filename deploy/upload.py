"""Upload a package, so that its prefix in S3 contains the files of the folder, byte for byte, and nothing else.

``python -m deploy.upload .build/package/jobs/VERSION s3://my-artifacts/jobs/VERSION``. Existing objects are never
trusted: whoever can write to the bucket could have changed them, and AWS runs them. The packages are small, so every
file is sent each time, with its SHA-256, and S3 rejects any other content.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def upload(s3: "S3Client", folder: Path, bucket: str, prefix: str) -> None:
    """Upload every file of a folder under a prefix, and delete all other objects there.

    Raises:
        ValueError: the folder contains no files, or the prefix is '', which would empty the bucket.
    """
    files = {f"{prefix}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
    if not files or not prefix:
        raise ValueError(f"nothing to upload from {folder} to s3://{bucket}/{prefix}")
    for key, path in sorted(files.items()):
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ChecksumAlgorithm="SHA256")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for item in page.get("Contents", []):
            if item["Key"] not in files:
                s3.delete_object(Bucket=bucket, Key=item["Key"])


def main() -> None:
    """Upload a package, or exit with an error message."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", help="s3://bucket/prefix")
    arguments = parser.parse_args()
    bucket, _, prefix = arguments.target.removeprefix("s3://").partition("/")
    try:
        upload(boto3.client("s3"), arguments.folder, bucket, prefix.strip("/"))
    except (BotoCoreError, ClientError, ValueError) as error:
        sys.exit(f"{arguments.folder} was not uploaded to {arguments.target}: {error}")


if __name__ == "__main__":
    main()
