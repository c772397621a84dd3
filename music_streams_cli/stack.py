"""Which pipeline the commands speak to: its endpoint and the names that its template put out."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from music_streams.ledger import Ledger

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client


class StackNotFound(Exception):
    """There is no running pipeline to speak to."""


@dataclass(frozen=True)
class Stack:
    """A deployed pipeline; `outputs` are the Outputs of template.yaml."""

    outputs: dict[str, str]

    @property
    def landing_bucket(self) -> str:
        """The bucket where producers put files."""
        return self.outputs["LandingBucketName"]

    @property
    def ledger(self) -> Ledger:
        """The ledger of files."""
        return Ledger(self.outputs["FilesTableName"])

    @property
    def metrics(self) -> "Table":
        """The table with the metrics."""
        return boto3.resource("dynamodb").Table(self.outputs["MetricsTableName"])

    @property
    def s3(self) -> "S3Client":
        """A client for the buckets."""
        return boto3.client("s3")


def find_stack() -> Stack:
    """The local cloud whose state folder is LOCAL_CLOUD_STATE, `.local` by default.

    The endpoint, region and stand-in credentials go into the environment, where boto3 looks for them.

    Raises:
        StackNotFound: it is not up.
    """
    path = Path(os.environ.get("LOCAL_CLOUD_STATE", ".local")) / "stack.json"
    if not path.exists():
        raise StackNotFound(f"No local cloud is up: there is no {path}. Start one with: make up")
    stack: dict[str, Any] = json.loads(path.read_text())
    os.environ["AWS_ENDPOINT_URL"] = stack["endpoint"]
    os.environ["AWS_DEFAULT_REGION"] = stack["region"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "local"
    return Stack(stack["outputs"])
