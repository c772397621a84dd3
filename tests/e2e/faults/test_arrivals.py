"""Files of producers: delivered repeatedly, with reused keys, any names and notations, bad rows, late days."""

import gzip
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from music_streams.ingest import s3_events
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.conftest import awaited
from tests.e2e.faults.lake import LISTENS, REJECTED_ROWS
from tests.e2e.faults.world import CATALOGUE, World, is_of

pytestmark = pytest.mark.slow

DAY = date(2021, 6, 15)  # rows are generated for it and moved to the day of a notation
NAMES = (
    "a space.csv",
    "1+1.csv",
    "%2F.csv",
    "up/../and down/..csv",
    "two//slashes//x.csv",
    "_x.csv",
    ".x.csv",
    "[1]{2}*?.csv",
    "🎵 müsic.csv",
    "quote'\"<&>.csv",
    "n" * (1024 - len("incoming/names/.csv")) + ".csv",
)


def other_order(content: bytes) -> bytes:
    rows = [line.split(",") for line in content.decode().splitlines()]
    return "".join(f"{time},{user},{track}\n" for user, track, time in rows).encode()


def more_columns(content: bytes) -> bytes:
    header, *lines = content.decode().splitlines()
    return "\n".join([f"device,{header},note", *(f'phone,{line},"a, b"' for line in lines)]).encode()


NOTATIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain.csv": bytes,
    "marked.csv": lambda content: b"\xef\xbb\xbf" + content,
    "crlf.csv": lambda content: content.replace(b"\n", b"\r\n"),
    "cr.csv": lambda content: content.replace(b"\n", b"\r"),
    "packed.csv": gzip.compress,
    "packed.csv.gz": gzip.compress,
    "not packed.CSV.GZ": bytes,
    "other order.csv": other_order,
    "more columns.csv": more_columns,
}


@dataclass
class Wave:
    """The files that were put, by the test that uses them."""

    repeated: Journey
    overwritten: list[Journey]
    bad: Journey
    quarantined: Journey
    names: dict[str, Journey] = field(default_factory=dict)
    notations: dict[date, Journey] = field(default_factory=dict)

    @property
    def good(self) -> list[Journey]:
        return [self.repeated, *self.overwritten, *self.names.values(), *self.notations.values()]


@pytest.fixture(scope="module")
def wave(world) -> Wave:
    day = world.new_day()
    overwritten = [world.put_alone("over.csv", sample_data.streams(1, CATALOGUE, day, 150))]
    overwritten += [world.put("over.csv", sample_data.streams(seed, CATALOGUE, day, 150, dirty=0.1)) for seed in (2, 3)]

    day = world.new_day()
    repeated = world.put("often.csv", sample_data.streams(1, CATALOGUE, day, 150, dirty=0.1))
    event = s3_events.event_of(world.landed(repeated))
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(world.send, [event] * 5))
    bad = world.put("bad.csv", sample_data.streams(2, CATALOGUE, day, 100, dirty=0.21))
    quarantined = world.put("names/[bad] .../%00 é.csv", sample_data.broken(day)["missing_columns"])
    put = Wave(repeated, overwritten, bad, quarantined)

    day = world.new_day()
    for number, name in enumerate(NAMES):
        put.names[name] = world.put(f"names/{name}", sample_data.streams(number, CATALOGUE, day, 20, dirty=0.05))

    rows = sample_data.streams(9, CATALOGUE, DAY, 120)
    for name, written in NOTATIONS.items():
        day = world.new_day()
        put.notations[day] = world.put(f"notations/{name}", written(moved(rows, day)))
    world.settle(*put.good, bad, quarantined)
    return put


def moved(rows: bytes, day: date) -> bytes:
    """Return the rows, moved from `DAY` to another day."""
    for shift in (timedelta(days=-1), timedelta(0), timedelta(days=1)):
        rows = rows.replace(str(DAY + shift).encode(), str(day + shift).encode())
    return rows


def test_everything_counts_once(world, wave):
    world.check()
    world.check_archived(*wave.good)


def test_an_event_delivered_six_times_has_one_effect(world, wave):
    entry = world.entry(wave.repeated)
    deliver = s3_events.event_of(entry.source)
    world.send(deliver, deliver)  # again, after it was archived
    awaited(lambda: are_queues_empty(world))
    assert world.entry(wave.repeated) == entry
    assert entry.attempt == 1
    execution = world.execution_of(wave.repeated)
    assert world.lake.appends(LISTENS, execution) == world.lake.appends(REJECTED_ROWS, execution) == 1


def are_queues_empty(world: World) -> bool:
    """Return whether no message is visible, in flight or a dead letter."""
    sqs = world.stack.client("sqs")
    urls = [world.stack.outputs[output] for output in ("ArrivalsQueueUrl", "ArrivalsDeadLetterQueueUrl")]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
    return not any(int(count) for of_queue in counts for count in of_queue.values())


def test_versions_of_one_key_are_separate_files(world, wave):
    entries = [world.entry(put) for put in wave.overwritten]
    assert len({entry.source.key for entry in entries}) == 1
    assert len({entry.source.version_id for entry in entries}) == len({entry.archive_key for entry in entries}) == 3


def test_any_name_is_kept_under_a_safe_one(world, wave):
    safe = r"{}/\d{{4}}/\d\d/\d\d/[0-9a-f]{{32}}/[0-9A-Za-z._-]{{1,200}}"
    for name, put in wave.names.items():
        entry = world.entry(put)
        assert entry.source.key == f"incoming/names/{name}"
        assert re.fullmatch(safe.format("archive"), entry.archive_key)
    quarantined = world.entry(wave.quarantined)
    assert (quarantined.status, quarantined.reason) == (Status.QUARANTINED, "missing_columns")
    assert re.fullmatch(safe.format("quarantine"), quarantined.archive_key)
    assert not world.is_where_it_landed(quarantined)


def test_any_notation_gives_the_same_metrics(world, wave):
    items = world.items()
    by_notation = [without_the_run(items, day) for day in wave.notations]
    assert len(by_notation[0]) > 20
    assert all(metrics == by_notation[0] for metrics in by_notation)


def without_the_run(items: list[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    """Return the items of a day without the day and the attributes of the run."""
    omitted = {"sk", "day", "track_day", "version", "batch_id", "updated_at"}
    of_day = [{**item, "pk": item["pk"].replace(str(day), "DAY")} for item in items if is_of(item, day)]
    return sorted(
        ({name: value for name, value in item.items() if name not in omitted} for item in of_day),
        key=lambda item: item["pk"],
    )


def test_no_row_of_a_file_with_too_many_bad_rows_counts(world, wave):
    entry = world.entry(wave.bad)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_bad_rows")
    assert (entry.rows_read, entry.rows_accepted) == (100, 0)
    assert sum(entry.rejected.values()) == 21
    assert world.kept(entry) == world.streams[wave.bad.source_id].content
    assert not world.is_where_it_landed(entry)


def test_a_late_file_recomputes_only_its_days(world, wave):
    before = {(item["pk"], item["sk"]): item for item in world.items()}
    day = min(wave.notations)
    [entry] = world.settle(world.put("late.csv", sample_data.streams(50, CATALOGUE, day, 80)))
    touched = {key for key, item in before.items() if any(is_of(item, day) for day in entry.days)}
    after = {(item["pk"], item["sk"]): item for item in world.items()}
    assert all(after[key] == item for key, item in before.items() if key not in touched)
    assert all(after[key]["version"] > before[key]["version"] for key in touched)
    world.check()
