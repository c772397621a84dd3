"""A MetricsTable on moto, compared with a recount. Each test has a day of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from music_streams.aws import batch_get
from music_streams.errors import TableThrottled
from music_streams.reconcile import drift
from music_streams.reconcile.drift import Deviation
from music_streams.reconcile.recount import recount
from tests.integration.consumers.metrics_table import MetricsTable, metrics_table
from tests.integration.reconcile.contract import batches, listen

OF_THE_RUN = {"version": 7, "lake_uuid": "lake", "batch_id": "b" * 32, "updated_at": "2024-06-27T04:10:32.871Z"}


@pytest.fixture(scope="module")
def table() -> Iterator[MetricsTable]:
    with metrics_table() as created:
        yield created


class Client:
    """A DynamoDB client whose inconsistent reads return older items, or which leaves keys unprocessed."""

    def __init__(self, dynamodb: Any, *, index: list[dict[str, Any]] | None = None, reads: int = 100) -> None:
        self._dynamodb = dynamodb
        self._index = index
        self._reads = reads

    def get_paginator(self, operation: str) -> Any:
        return self if self._index is not None else self._dynamodb.get_paginator(operation)

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Items": self._index}]

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - as boto3 calls it
        ((table, request),) = RequestItems.items()
        if self._index is not None and not request.get("ConsistentRead"):
            return {"Responses": {table: self._index}, "UnprocessedKeys": {}}
        read, left = request["Keys"][: self._reads], request["Keys"][self._reads :]
        if not read:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        response = self._dynamodb.batch_get_item(RequestItems={table: {**request, "Keys": read}})
        return {**response, "UnprocessedKeys": {table: {**request, "Keys": left}} if left else {}}


def expected_of(day: str, tracks: int = 2) -> list[dict[str, Any]]:
    rows = [listen(f"{day} 10:00:00", track=f"T{n}", genres=["pop", "jazz"]) for n in range(tracks)]
    return recount(batches(rows), track_metrics=True).items


def publish(table: MetricsTable, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    published = [{**item, **OF_THE_RUN} for item in items]
    table.put(*published)
    return published


def drift_of(
    table: MetricsTable, day: str, expected: list[dict[str, Any]], client: Any = None
) -> list[tuple[str, str]]:
    differences = drift.drift(client or table.dynamodb, table.name, day, expected)
    return [(difference.pk, difference.attribute or difference.deviation) for difference in differences]


def test_published_items_do_not_drift(table):
    expected = expected_of("2025-01-01", tracks=150)  # More than one request can read.
    publish(table, expected)
    assert drift_of(table, "2025-01-01", expected) == []


def test_missing_unexpected_and_different_items_are_found(table):
    day = "2025-01-02"
    expected = expected_of(day)
    track = "TRACK#" + "T0".ljust(22, "0")
    publish(table, [item for item in expected if item["pk"] != "GENRE#jazz"])
    publish(table, [{**expected[0], "pk": "COUNTRY#Ghana"}])
    for pk, sk in ((f"DAY#{day}", "SUMMARY"), (track, f"DAY#{day}")):
        table.dynamodb.update_item(
            TableName=table.name,
            Key={"pk": pk, "sk": sk},
            UpdateExpression="SET listen_count = :n",
            ExpressionAttributeValues={":n": 9},
        )
    assert drift_of(table, day, expected) == [
        ("COUNTRY#Ghana", Deviation.GHOST),
        (f"DAY#{day}", "listen_count"),
        ("GENRE#jazz", Deviation.MISSING),
        (track, "listen_count"),
    ]


def test_an_index_that_lags_behind_its_table_is_no_drift(table):
    day = "2025-01-04"
    expected = expected_of(day)
    published = publish(table, expected)
    stale = [{**item, "listen_count": 0} for item in published if item["pk"] != "GENRE#pop"]
    stale += [{**published[0], "pk": "GENRE#deleted meanwhile"}]
    client = Client(table.dynamodb, index=[item for item in stale if not item["pk"].startswith("TRACK#")])
    suspected = drift.differences(expected, drift.indexed_items(client, table.name, day))
    assert {difference.deviation for difference in suspected} == set(Deviation)
    assert drift_of(table, day, expected, client) == []


def test_unprocessed_keys_are_read_again(table, monkeypatch):
    monkeypatch.setattr(batch_get, "_FIRST_WAIT", 0)
    day = "2025-01-05"
    expected = expected_of(day)
    publish(table, expected)
    keys = [(item["pk"], item["sk"]) for item in expected]
    assert len(drift.items_at(Client(table.dynamodb, reads=2), table.name, keys)) == len(keys) == 6
    with pytest.raises(TableThrottled, match="throttled"):
        drift.items_at(Client(table.dynamodb, reads=0), table.name, keys)
