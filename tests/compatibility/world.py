"""Buckets and tables in this process, and what lies in them as documents: S3 objects and items, each with its key.

Nothing here knows the product, so that a rename of its modules, classes and fields leaves this file as it is.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

LANDING, LAKE, FILES, METRICS = "landing", "lake", "files", "metrics"
REGION, ACCOUNT = "us-east-1", "123456789012"
_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
_TABLES = {
    FILES: (["source_id"], ("by-status", ["status", "updated_at"])),
    METRICS: (["pk", "sk"], ("by-day", ["day", "pk"])),
}

Document = dict[str, Any]


class World:
    """Clients of moto, two buckets and two tables."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3")
        self.dynamodb: Any = boto3.resource("dynamodb").meta.client
        self._items: Any = boto3.client("dynamodb")
        self._create()

    def _create(self) -> None:
        for bucket in (LANDING, LAKE):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=LANDING, VersioningConfiguration={"Status": "Enabled"})
        for table, (keys, (index, index_keys)) in _TABLES.items():
            self._items.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": "S"} for key in sorted({*keys, *index_keys})
                ],
                KeySchema=_key_schema(keys),
                GlobalSecondaryIndexes=[
                    {"IndexName": index, "KeySchema": _key_schema(index_keys), "Projection": {"ProjectionType": "ALL"}}
                ],
            )

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
    with patch.dict(os.environ, _ENVIRONMENT):
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            os.environ.pop(name, None)
        with mock_aws():
            yield World()


def _key_schema(keys: list[str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
