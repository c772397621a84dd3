"""The metadata of the lake tables, read without Spark from catalog and metadata file."""

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
        """Return the current metadata file of a table; {} if there is no such table."""
        glue = self.stack.client("glue")
        try:
            entry = glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]
        except glue.exceptions.EntityNotFoundException:
            return {}
        bucket, key = split_uri(entry["Parameters"]["metadata_location"])
        return json.loads(self.stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def rows(self, table: str) -> int:
        """Return the number of rows in the current snapshot."""
        metadata = self.metadata(table)
        current_id = metadata.get("current-snapshot-id")
        current = [snapshot for snapshot in metadata.get("snapshots", []) if snapshot["snapshot-id"] == current_id]
        return int(current[0]["summary"]["total-records"]) if current else 0

    def snapshots(self, table: str) -> list[dict[str, Any]]:
        return self.metadata(table).get("snapshots", [])

    def appends(self, table: str, execution: str) -> int:
        """Return the number of commits with which an execution added rows."""
        return sum(
            snapshot["summary"].get("execution") == execution and snapshot["summary"]["operation"] == "append"
            for snapshot in self.snapshots(table)
        )

    def deletions(self, table: str) -> int:
        """Return the number of commits that deleted rows."""
        return sum(snapshot["summary"]["operation"] != "append" for snapshot in self.snapshots(table))

    def files(self, prefix: str) -> list[str]:
        """Return the keys under a prefix of the lake bucket."""
        pages = self.stack.s3.get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.stack.lake_bucket, Prefix=prefix)
        return [item["Key"] for page in listed for item in page.get("Contents", [])]
