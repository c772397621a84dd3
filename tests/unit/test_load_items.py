"""Converting a row of the metrics files to an item of MetricsTable."""

from decimal import Decimal
from typing import Any

import pytest

from music_streams.load.items import Provenance, item

PROVENANCE = Provenance(7, "uuid", "batch", "2026-11-21T21:03:25.123Z")
COUNTS = {"listen_count": 3, "unique_listeners": 2, "total_listening_time_ms": 301}
SONG = {"rank": 1, "track_id": "t", "track_name": "", "artists": "", "listen_count": 2, "unique_listeners": 2}


def row(pk: str, **changes: Any) -> dict[str, Any]:
    key = {"pk": pk, "sk": "DAY#2024-06-25", "day": "2024-06-25"}
    return {**key, **COUNTS, "avg_hundredths_ms": 15050, "top_songs": None, "top_genres": None, **changes}


def test_an_item_has_the_metrics_the_day_and_the_provenance_of_the_run():
    assert item(row("GENRE#pop", top_songs=[SONG]), PROVENANCE) == {
        "pk": "GENRE#pop",
        "sk": "DAY#2024-06-25",
        "day": "2024-06-25",
        **COUNTS,
        "avg_listening_time_per_user_ms": Decimal("150.50"),
        "top_songs": [SONG],
        "version": 7,
        "lake_uuid": "uuid",
        "batch_id": "batch",
        "updated_at": "2026-11-21T21:03:25.123Z",
    }


@pytest.mark.parametrize(
    ("hundredths", "average"),
    [(0, "0.00"), (1, "0.01"), (99, "0.99"), (100, "1.00"), (33333, "333.33"), (2**62, "46116860184273879.04")],
)
def test_the_average_is_an_exact_decimal(hundredths, average):
    value = item(row("GENRE#pop", avg_hundredths_ms=hundredths), PROVENANCE)["avg_listening_time_per_user_ms"]
    assert isinstance(value, Decimal)
    assert str(value) == average


def test_an_item_has_only_the_top_lists_of_its_row():
    summary = item(row("DAY#2024-06-25", top_genres=[]), PROVENANCE)
    assert {name: value for name, value in summary.items() if "top" in name} == {"top_genres": []}


def test_a_track_item_is_not_in_the_index_by_day():
    track = item(row("TRACK#4dBa8T7oDV9WvGr7kVS4Ez"), PROVENANCE)
    assert {name: value for name, value in track.items() if "day" in name} == {"track_day": "2024-06-25"}
