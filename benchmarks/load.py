"""load-metrics as a separate process: items a second, requests an item."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.cloud import Batch, run_load, run_transform, running_cloud, stage, streams
from benchmarks.figures import Figure, of_usages
from music_streams.load.job import run
from music_streams.stack import Stack

PART = "load"
_TIMES = 3


def figures() -> list[Figure]:
    """Measure the load of a day's items without and with those of its tracks, and count its requests."""
    figures: list[Figure] = []
    with running_cloud() as stack:
        for number, (rows, tracks) in enumerate([(11_346, "false"), (100_000, "true")]):
            batch, run_id = stage(stack, 10 + number, streams(rows)), f"run-{number}"
            run_transform(stack, batch, run_id, publish_track_metrics=tracks)
            items, requests = _count(stack, batch, run_id)
            usages = [run_load(stack, batch, run_id) for _ in range(_TIMES)]
            case = f"{items:,} items"
            figures += of_usages(PART, case, usages)
            figures.append(Figure(PART, case, "items/s", [items / usage.wall for usage in usages]))
            figures.append(Figure(PART, case, "requests/item", [requests / items]))
    return figures


def _count(stack: Stack, batch: Batch, run_id: str) -> tuple[int, int]:
    """Return the number of items that a first run writes, and of its requests to DynamoDB."""
    before = _all_items(stack)
    client: Any = stack.metrics.meta.client  # see clients.dynamodb
    tables = stack.outputs["FilesTableName"], stack.outputs["MetricsTableName"]
    with _counted(client) as requests:
        run(stack.s3, client, batch.folder.manifest_uri, run_id, *tables)
    return _all_items(stack) - before, len(requests)


def _all_items(stack: Stack) -> int:
    pages = stack.metrics.meta.client.get_paginator("scan").paginate(TableName=stack.metrics.name, Select="COUNT")
    return sum(page["Count"] for page in pages)


@contextmanager
def _counted(client: Any) -> Iterator[list[str]]:  # noqa: ANN401
    requests: list[str] = []

    def note(model: Any, **_: object) -> None:  # noqa: ANN401
        requests.append(model.name)

    client.meta.events.register("before-call.dynamodb", note)
    try:
        yield requests
    finally:
        client.meta.events.unregister("before-call.dynamodb", note)
