"""Days whose items are a pure function of the version, for tests of the fence."""

from dataclasses import dataclass
from typing import Any

from music_streams.load.fence import DayPublisher, DayToPublish
from music_streams.load.items import Provenance
from tests.aws import key_of

FILES, METRICS = "files", "metrics"
TABLES = {FILES: key_of("FilesTable"), METRICS: key_of("MetricsTable")}
DAY = "2024-06-25"
TRACK = "TRACK#4dBa8T7oDV9WvGr7kVS4Ez"


@dataclass(frozen=True)
class Version:
    """The metrics of a day at a version: an item for each of the partition keys."""

    number: int
    keys: frozenset[str]
    lake_uuid: str = "lake"
    batch_id: str = "batch"
    removed: frozenset[str] = frozenset()
    """Partition keys of TRACK items that the run has removed."""

    def items(self, day: str = DAY) -> list[dict[str, Any]]:
        """The items, each with content that shows its version."""
        return [
            {
                "pk": key,
                "sk": f"DAY#{day}",
                "content": f"{key} at {self.number} of {self.lake_uuid}",
                "version": self.number,
                "lake_uuid": self.lake_uuid,
            }
            for key in sorted(self.keys)
        ]

    def publish(self, dynamodb: Any, day: str = DAY) -> bool:
        """Publish the day as the load does; return whether it is published at this version."""
        provenance = Provenance(self.number, self.lake_uuid, self.batch_id, "2026-11-21T21:03:25.123Z")
        removed = [(key, f"DAY#{day}") for key in sorted(self.removed)]
        publisher = DayPublisher(dynamodb, FILES, METRICS, provenance)
        return publisher.publish([DayToPublish(day, self.items(day), removed)]) == [day]


def by_key(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort items by key."""
    return sorted(items, key=lambda item: (item["pk"], item["sk"]))
