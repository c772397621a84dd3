"""Buckets and tables in this process, and what lies in them as documents: S3 objects and items, each with its key.

Nothing here knows the product, so that a rename of its modules, classes and fields leaves this file as it is.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from tests.aws import aws_in_process, create_buckets, create_table

LANDING, LAKE, FILES, METRICS = "landing", "lake", "files", "metrics"
REGION, ACCOUNT = "us-east-1", "123456789012"
_TABLES = {FILES: "FilesTable", METRICS: "MetricsTable"}  # of the template

Document = dict[str, Any]


class World:
    """Clients of moto, two buckets and two tables."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3")
        self.dynamodb: Any = boto3.resource("dynamodb").meta.client
        self._items: Any = boto3.client("dynamodb")
        create_buckets(self.s3, LANDING, LAKE)
        for name, logical_id in _TABLES.items():
            create_table(self._items, logical_id, name)

    def clear(self) -> None:
        """Empty buckets and tables: where moto keeps them, which takes a tenth of the time that new ones take."""
        for bucket in s3_backends[ACCOUNT]["aws"].buckets.values():
            bucket.keys.clear()
        for table in dynamodb_backends[ACCOUNT][REGION].tables.values():
            table.items.clear()

    def object(self, ending: str, bucket: str = LAKE) -> Document:
        """The one object whose key has this ending, as a document."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        [key] = [each["Key"] for each in listed if each["Key"].endswith(ending)]
        content = json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return {"bucket": bucket, "key": key, "content": content}

    def put_object(self, document: Document) -> None:
        """Put back what :meth:`object` gave."""
        body = json.dumps(document["content"]).encode()
        self.s3.put_object(Bucket=document["bucket"], Key=document["key"], Body=body)

    def item(self, table: str, **key: str) -> Document:
        """An item as DynamoDB stores it, each value with its type, as a document."""
        typed_key = {name: {"S": value} for name, value in key.items()}
        item = self._items.get_item(TableName=table, Key=typed_key)["Item"]
        for value in item.values():
            if "SS" in value:
                value["SS"].sort()
        return {"table": table, "item": item}

    def put_item(self, document: Document) -> None:
        """Put back what :meth:`item` gave."""
        self._items.put_item(TableName=document["table"], Item=document["item"])


@contextmanager
def opened() -> Iterator[World]:
    """A world, as long as it is needed."""
    with aws_in_process(REGION):
        yield World()
