"""What the lake's tables say of themselves, read without Spark: catalog entry and metadata file."""

import json
from dataclasses import dataclass
from typing import Any

from music_streams.aws.clients import split_uri
from music_streams.stack import Stack

DATABASE = "music_streams"
LISTENS = "listens"
REJECTED_ROWS = "rejected_rows"


@dataclass(frozen=True)
class Lake:
    """The lake of a pipeline."""

    stack: Stack

    def metadata(self, table: str) -> dict[str, Any]:
        """The table's current metadata file; {} where there is no such table."""
        glue = self.stack.client("glue")
        try:
            found = glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]
        except glue.exceptions.EntityNotFoundException:
            return {}
        bucket, key = split_uri(found["Parameters"]["metadata_location"])
        return json.loads(self.stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def rows(self, table: str) -> int:
        """How many rows the current snapshot has."""
        metadata = self.metadata(table)
        current_id = metadata.get("current-snapshot-id")
        current = [each for each in metadata.get("snapshots", []) if each["snapshot-id"] == current_id]
        return int(current[0]["summary"]["total-records"]) if current else 0

    def snapshots(self, table: str) -> list[dict[str, Any]]:
        return self.metadata(table).get("snapshots", [])

    def appends(self, table: str, execution: str) -> int:
        """How often an execution has added rows."""
        return sum(
            each["summary"].get("execution") == execution and each["summary"]["operation"] == "append"
            for each in self.snapshots(table)
        )

    def deletions(self, table: str) -> int:
        """How often rows were deleted."""
        return sum(each["summary"]["operation"] != "append" for each in self.snapshots(table))

    def files(self, prefix: str) -> list[str]:
        """The keys under a prefix of the lake bucket."""
        pages = self.stack.s3.get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.stack.lake_bucket, Prefix=prefix)
        return [found["Key"] for page in listed for found in page.get("Contents", [])]
