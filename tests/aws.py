"""AWS in the test's own process: moto, and the tables of template.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from tests.functions import ROOT

TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())


@contextmanager
def aws_in_process(region: str = "us-east-1", **variables: str) -> Iterator[pytest.MonkeyPatch]:
    """Answer every AWS call of the block with moto, which sets test credentials.

    Args:
        region: the default region.
        variables: further environment variables of the block.

    Yields:
        A MonkeyPatch that lasts for the block.
    """
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name, value in {"AWS_DEFAULT_REGION": region, **variables}.items():
            patch.setenv(name, value)
        yield patch


def table_properties(logical_id: str) -> dict[str, Any]:
    """Return the properties of a table that affect its responses: keys, indexes and billing."""
    properties = TEMPLATE["Resources"][logical_id]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {name: properties[name] for name in names}


def create_table(dynamodb: Any, logical_id: str, name: str) -> None:
    """Create a table of the template under a name."""
    dynamodb.create_table(TableName=name, **table_properties(logical_id))


def key_of(logical_id: str) -> tuple[str, ...]:
    """Return the attributes of a table's primary key."""
    return tuple(key["AttributeName"] for key in table_properties(logical_id)["KeySchema"])


def create_buckets(s3: Any, landing: str, lake: str) -> None:
    """Create the two buckets; landing is versioned."""
    for bucket in (landing, lake):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=landing, VersioningConfiguration={"Status": "Enabled"})
