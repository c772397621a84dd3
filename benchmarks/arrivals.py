"""The time from PUT to PUBLISHED on the running local cloud, by stage, for one file of real size after another."""

import statistics
from datetime import datetime

from benchmarks.cloud import CATALOGUE, DAY, running_cloud
from benchmarks.figures import Figure
from music_streams.state.ledger import Entry
from music_streams_cli import journey, output, sample_data
from music_streams_cli.journey import Journey

PART = "arrivals"
_TIMES = 10
_ROWS = 11_346
_STAGES = {
    "event and validate": ("put_at", "validated_at"),
    "wait and claim": ("validated_at", "started_at"),
    "transform, load, settle": ("started_at", "published_at"),
    "archive": ("published_at", "archived_at"),
}


def figures() -> list[Figure]:
    """Put ten files, each after the one before is archived."""
    with running_cloud() as stack:
        durations = []
        for number in range(_TIMES + 1):
            content = sample_data.streams(number, CATALOGUE, DAY, _ROWS)
            put = journey.put(stack, f"incoming/arrival-{number}.csv", content)
            journey.follow(stack.ledger, [put], output.stderr(quiet=True), 600)
            durations.append(_seconds(put, stack.ledger.entries([put.source_id])[put.source_id]))
    durations = durations[1:]  # the first run also parses the reference data
    totals = [sum(seconds[stage] for stage in list(_STAGES)[:-1]) for seconds in durations]
    twentieths = statistics.quantiles(totals, n=20, method="inclusive")
    p50, p95 = twentieths[9], twentieths[18]
    latencies = [
        Figure(PART, f"{_ROWS:,} rows, PUT to PUBLISHED, p50", "s", [p50], "≤ 10"),
        Figure(PART, f"{_ROWS:,} rows, PUT to PUBLISHED, p95", "s", [p95]),
    ]
    return latencies + [Figure(PART, f"  {stage}", "s", [seconds[stage] for seconds in durations]) for stage in _STAGES]


def _seconds(put: Journey, entry: Entry) -> dict[str, float]:
    names = ("validated_at", "started_at", "published_at", "archived_at")
    instants = {"put_at": put.put_at} | {name: datetime.fromisoformat(getattr(entry, name)) for name in names}
    return {stage: (instants[end] - instants[begin]).total_seconds() for stage, (begin, end) in _STAGES.items()}
