"""A MetricsTable on moto with the template's schema, and three days of items as the pipeline writes them.

The oracle computes the metrics from raw files; the code of load-metrics makes the items.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from music_streams.aws import clients
from music_streams.load.items import Provenance, item
from tests.aws import aws_in_process, create_table
from tests.oracle import Batch, Reference, StreamFile, evaluate

TABLE = "music-streams-metrics"
STAMP = Provenance(
    7, "8d0c9c55-3f9e-4f0a-9d8e-8f6c1f4b2a10", "5f2b8c0e9d7a4b1683c2e1f0a9b8c7d6", "2024-06-27T04:10:32.871Z"
)

SONGS = """\
id,track_id,track_name,artists,duration_ms,track_genre
0,PaperLantern0000000001,Paper Lantern,Kofi Tide,200000,pop
1,PaperLantern0000000001,Paper Lantern,Kofi Tide,200000,jazz
2,VelvetHarbour000000002,Velvet Harbour,Zoë Quill,183500,jazz
3,MidnightEngine00000003,Midnight Engine,The Tin Foxes,240250,pop
4,HollowCoast00000000004,Hollow Coast,DJ Ostrich,151001,techno
"""
USERS = """\
user_id,user_country
1,Germany
2,Germany
3,Ghana
4,Japan
5,
"""
STREAMS = """\
user_id,track_id,listen_time
1,PaperLantern0000000001,2024-06-24 08:00:00
3,VelvetHarbour000000002,2024-06-24 09:30:00
1,PaperLantern0000000001,2024-06-25 07:15:00
1,PaperLantern0000000001,2024-06-25 18:40:00
2,PaperLantern0000000001,2024-06-25 10:00:00
3,PaperLantern0000000001,2024-06-25 11:00:00
2,MidnightEngine00000003,2024-06-25 12:00:00
3,MidnightEngine00000003,2024-06-25 13:00:00
4,VelvetHarbour000000002,2024-06-25 14:00:00
4,VelvetHarbour000000002,2024-06-25 15:00:00
5,HollowCoast00000000004,2024-06-25 16:00:00
1,MidnightEngine00000003,2024-06-26 20:00:00
"""


def items() -> list[dict[str, Any]]:
    """Return all items of the three days, including those of tracks."""
    streams = StreamFile("0" * 32, STREAMS.encode(), datetime(2024, 6, 27, tzinfo=UTC))
    outcome = evaluate([Batch([streams], Reference([SONGS.encode()], [USERS.encode()], 1))], publish_track_metrics=True)
    return [item(_row(pk, sk, content), STAMP) for (pk, sk), content in sorted(outcome.items.items())]


def _row(pk: str, sk: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the metrics file for an item: `day` in all kinds, the average in hundredths."""
    row = {"pk": pk, "sk": sk, "top_songs": None, "top_genres": None, **content}
    row["day"] = row.pop("track_day", None) or row["day"]
    row["avg_hundredths_ms"] = int(row.pop("avg_listening_time_per_user_ms") * 100)
    return row


@dataclass(frozen=True)
class MetricsTable:
    """The table, and a client that accepts plain values."""

    dynamodb: Any
    name: str = TABLE

    def put(self, *items: Mapping[str, Any]) -> None:
        for metric in items:
            self.dynamodb.put_item(TableName=self.name, Item=metric)

    def stored(self) -> list[dict[str, Any]]:
        stored: list[dict[str, Any]] = self.dynamodb.scan(TableName=self.name)["Items"]
        return stored


@contextmanager
def metrics_table() -> Iterator[MetricsTable]:
    """Start AWS in this process with the table and the three days; METRICS_TABLE names the table."""
    with aws_in_process(METRICS_TABLE=TABLE):
        table = MetricsTable(clients.dynamodb())
        create_table(table.dynamodb, "MetricsTable", TABLE)
        table.put(*items())
        yield table
