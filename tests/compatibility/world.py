"""Buckets and tables on moto, whose objects and items are read and written as documents with their keys.

This module does not use the product, so that a rename of its modules, classes and fields does not change it.
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
        """Empty buckets and tables inside moto, which takes a tenth of the time of creating new ones."""
        for bucket in s3_backends[ACCOUNT]["aws"].buckets.values():
            bucket.keys.clear()
        for table in dynamodb_backends[ACCOUNT][REGION].tables.values():
            table.items.clear()

    def object(self, ending: str, bucket: str = LAKE) -> Document:
        """Return the one object whose key has this ending, as a document."""
        contents = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        [key] = [listed["Key"] for listed in contents if listed["Key"].endswith(ending)]
        content = json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return {"bucket": bucket, "key": key, "content": content}

    def put_object(self, document: Document) -> None:
        """Write a document of :meth:`object`."""
        body = json.dumps(document["content"]).encode()
        self.s3.put_object(Bucket=document["bucket"], Key=document["key"], Body=body)

    def item(self, table: str, **key: str) -> Document:
        """Return an item as DynamoDB stores it, each value with its type, as a document."""
        typed_key = {name: {"S": value} for name, value in key.items()}
        item = self._items.get_item(TableName=table, Key=typed_key)["Item"]
        for value in item.values():
            if "SS" in value:
                value["SS"].sort()
        return {"table": table, "item": item}

    def put_item(self, document: Document) -> None:
        """Write a document of :meth:`item`."""
        self._items.put_item(TableName=document["table"], Item=document["item"])


@contextmanager
def opened() -> Iterator[World]:
    """Open a world for the block."""
    with aws_in_process(REGION):
        yield World()
