"""Read many items of a table by their keys, with backoff when DynamoDB leaves some of them unread."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from music_streams.errors import TableThrottled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEYS_AT_ONCE = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
TRIES = 8
"""The most requests until all keys are read; the waits between them add up to at most 6.4 seconds."""
_FIRST_WAIT = 0.05  # seconds


def batch_get(
    dynamodb: Any,  # noqa: ANN401 - see clients.dynamodb
    table: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    consistent: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield the items of any number of distinct keys, in no order; keys without an item are skipped.

    Keys that DynamoDB leaves unread are requested again with exponential backoff and full jitter, so that the readers
    of a busy table do not retry at the same time.

    Raises:
        TableThrottled: some keys are still unread after TRIES requests.
    """
    for start in range(0, len(keys), KEYS_AT_ONCE):
        unread: Mapping[str, Any] = {table: {"Keys": keys[start : start + KEYS_AT_ONCE], "ConsistentRead": consistent}}
        for number in range(TRIES):
            if number:
                # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
                longest = _FIRST_WAIT * 2 ** (number - 1)
                time.sleep(random.uniform(0, longest))  # noqa: S311 - not for cryptography
            answer = dynamodb.batch_get_item(RequestItems=unread)
            yield from answer["Responses"].get(table, [])
            unread = answer.get("UnprocessedKeys", {})
            if not unread:
                break
        else:
            raise TableThrottled(
                f"table {table} is throttled: DynamoDB left keys unread in {TRIES} requests; request fewer items, or "
                "retry later"
            )
