"""Which differences between the lake's count and the items are found, and how they are described."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from music_streams.reconcile.drift import Deviation, Difference, differences

LAKE, DAY = "8d0c9c55-3f9e-4f0a-9d8e-8f6c1f4b2a10", "2024-06-25"
NAME = f"GENRE#jazz / DAY#{DAY}"


def song(rank: int, track: str, listens: Any) -> dict[str, Any]:
    return {
        "rank": rank,
        "track_id": track.ljust(22, "0"),
        "track_name": f"name of {track}",
        "artists": "",
        "listen_count": listens,
        "unique_listeners": 2,
        "total_listening_time_ms": 1000,
    }


EXPECTED: dict[str, Any] = {
    "pk": "GENRE#jazz",
    "sk": f"DAY#{DAY}",
    "day": DAY,
    "listen_count": 4,
    "unique_listeners": 2,
    "total_listening_time_ms": 2001,
    "avg_listening_time_per_user_ms": Decimal("1000.50"),
    "top_songs": [song(1, "A", 3), song(2, "B", 1)],
}
ITEM = {
    **copy.deepcopy(EXPECTED),
    "listen_count": Decimal(4),
    "avg_listening_time_per_user_ms": Decimal("1000.5"),  # DynamoDB drops trailing zeros.
    "top_songs": [song(1, "A", Decimal(3)), song(2, "B", Decimal(1))],
    "version": Decimal(7),
    "lake_uuid": LAKE,
    "batch_id": "b" * 32,
    "updated_at": "2024-06-27T04:10:32.871Z",
}


def changed(**changes: Any) -> dict[str, Any]:
    """Return the item with changed attributes; None removes one."""
    item = {**copy.deepcopy(ITEM), **changes}
    return {name: value for name, value in item.items() if value is not None}


def sentences(*items: dict[str, Any]) -> list[str]:
    return [str(difference) for difference in differences([EXPECTED], items)]


def test_an_item_as_dynamodb_gives_it_back_does_not_differ():
    assert sentences(ITEM) == []


def test_the_attributes_of_the_run_are_not_compared():
    assert sentences(changed(version=Decimal(1), lake_uuid="another", batch_id="c" * 32, updated_at="")) == []
    assert sentences(changed(version=None, lake_uuid=None, batch_id=None, updated_at=None)) == []


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"listen_count": Decimal(5)}, "listen_count is 5 in MetricsTable and 4 in the lake"),
        ({"unique_listeners": "2"}, "unique_listeners is '2' in MetricsTable and 2 in the lake"),
        ({"unique_listeners": None}, "unique_listeners is missing in MetricsTable and 2 in the lake"),
        (
            {"avg_listening_time_per_user_ms": Decimal("1000.51")},
            "avg_listening_time_per_user_ms is 1000.51 in MetricsTable and 1000.50 in the lake",
        ),
        ({"day": "2024-06-26"}, "day is '2024-06-26' in MetricsTable and '2024-06-25' in the lake"),
        ({"top_genres": []}, "top_genres is [] in MetricsTable and missing in the lake"),
        (
            {"top_songs": [song(1, "A", 3), song(2, "B", 2)]},
            "top_songs[1].listen_count is 2 in MetricsTable and 1 in the lake",
        ),
        (
            {"top_songs": [song(1, "A", 3)]},
            "top_songs[1] is missing in MetricsTable and {rank: 2, track_id: 'B000000000000000000000', track_name: ",
        ),
        ({"top_songs": "none"}, f"top_songs is 'none' in MetricsTable and [{{rank: 1, track_id: 'A{'0' * 21}', "),
    ],
)
def test_a_different_attribute_is_described(changes, description):
    (sentence,) = sentences(changed(**changes))
    assert sentence.startswith(f"{NAME}: {description}")


def test_a_boolean_differs_from_a_number():
    ones = [{**EXPECTED, "listen_count": 1}]
    (difference,) = differences(ones, [changed(listen_count=True)])
    assert difference.attribute == "listen_count"


def test_every_different_attribute_is_found():
    found = differences([EXPECTED], [changed(listen_count=Decimal(5), unique_listeners=Decimal(1))])
    assert found == [
        Difference("GENRE#jazz", f"DAY#{DAY}", Deviation.VALUE, "listen_count", 4, Decimal(5)),
        Difference("GENRE#jazz", f"DAY#{DAY}", Deviation.VALUE, "unique_listeners", 2, Decimal(1)),
    ]


def test_missing_items_and_ghosts_are_described_in_the_order_of_their_keys():
    assert sentences(changed(pk="COUNTRY#Ghana")) == [
        f"COUNTRY#Ghana / DAY#{DAY} is unexpected: the lake has no listen for it",
        f"{NAME} is missing: the lake has 4 listens for it",
    ]
