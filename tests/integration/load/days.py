"""Days whose items are a pure function of the version, for tests of the fence."""

from dataclasses import dataclass
from typing import Any

from music_streams.load.fence import Day, Fence
from music_streams.load.items import Provenance
from tests.aws import key_of

FILES, METRICS = "files", "metrics"
TABLES = {FILES: key_of("FilesTable"), METRICS: key_of("MetricsTable")}
DAY = "2024-06-25"
TRACK = "TRACK#4dBa8T7oDV9WvGr7kVS4Ez"


@dataclass(frozen=True)
class Version:
    """What the aggregation of a snapshot gives for the day: an item for each of the partition keys."""

    number: int
    keys: frozenset[str]
    lake_uuid: str = "lake"
    batch_id: str = "batch"
    lost: frozenset[str] = frozenset()
    """Partition keys of TRACK items that the run has removed."""

    def items(self, day: str = DAY) -> list[dict[str, Any]]:
        """The items, each with content that tells its version."""
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
        """As the load does it."""
        stamp = Provenance(self.number, self.lake_uuid, self.batch_id, "2026-11-21T21:03:25.123Z")
        lost = [(key, f"DAY#{day}") for key in sorted(self.lost)]
        return Fence(dynamodb, FILES, METRICS, stamp).publish([Day(day, self.items(day), lost)]) == [day]


def by_key(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items in the order of their keys."""
    return sorted(items, key=lambda item: (item["pk"], item["sk"]))
