"""BatchGetItem: all keys are read with backoff, or a clear error is raised."""

import random
from typing import Any
from unittest.mock import patch

import pytest

from music_streams.aws.batch_get import KEYS_AT_ONCE, TRIES, batch_get
from music_streams.errors import TableThrottled
from music_streams.state.ledger import Ledger

NAMES = [f"{number:032x}" for number in range(250)]


class Busy:
    """A table that reads a given number of keys of each request, and records the waits between requests."""

    def __init__(self, *reads: int) -> None:
        self.reads = list(reads)
        self.requests: list[dict[str, Any]] = []
        self.waits: list[float] = []

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        [(table, request)] = RequestItems.items()
        assert len(request["Keys"]) <= KEYS_AT_ONCE
        assert len(self.requests) < 100, "the retries do not end"
        self.requests.append(request)
        count = self.reads.pop(0) if self.reads else 0
        read, left = request["Keys"][:count], request["Keys"][count:]
        unread = {"UnprocessedKeys": {table: {**request, "Keys": left}} if left else {}}
        return {"Responses": {table: read} if read else {}, **unread}


def get(busy: Busy, names: list[str] = NAMES[:3], **options: Any) -> list[str]:
    keys = [{"source_id": name} for name in names]
    with patch("time.sleep", busy.waits.append):
        return [item["source_id"] for item in batch_get(busy, "files", keys, **options)]


def test_keys_are_read_in_requests_of_a_hundred_without_waits():
    assert get(Busy(), []) == []
    busy = Busy(100, 100, 100)
    assert get(busy, NAMES) == NAMES
    assert [len(request["Keys"]) for request in busy.requests] == [100, 100, 50]
    assert busy.waits == []


@pytest.mark.parametrize("consistent", [True, False])
def test_unread_keys_are_requested_again_with_the_same_consistency(consistent):
    busy = Busy(1, 0, 2)
    assert get(busy, consistent=consistent) == NAMES[:3]
    assert [len(request["Keys"]) for request in busy.requests] == [3, 2, 2]
    assert {request["ConsistentRead"] for request in busy.requests} == {consistent}


def test_waits_back_off_exponentially_with_full_jitter(monkeypatch):
    bounds: list[tuple[float, float]] = []

    def uniform(least: float, most: float) -> float:
        bounds.append((least, most))
        return most / 3

    monkeypatch.setattr(random, "uniform", uniform)
    busy = Busy(0, 0, 0, 0, 3)
    assert get(busy) == NAMES[:3]
    assert bounds == [(0, 0.05), (0, 0.1), (0, 0.2), (0, 0.4)]
    assert busy.waits == [most / 3 for _, most in bounds]


def test_keys_that_stay_unread_raise_an_error_that_says_what_to_do():
    busy = Busy(1)
    with pytest.raises(TableThrottled, match=r"table files is throttled: .*retry later"):
        get(busy)
    assert len(busy.requests) == TRIES
    assert len(busy.waits) == TRIES - 1


def test_the_ledger_reads_a_busy_table_consistently_with_limited_retries():
    busy = Busy()
    with patch("time.sleep", busy.waits.append), pytest.raises(TableThrottled):
        Ledger("files", busy).entries(NAMES[:3])
    assert len(busy.waits) == TRIES - 1
    assert all(request["ConsistentRead"] for request in busy.requests)
