"""Files as producers send them: events repeated, keys reused, in any name and format, malformed or late."""

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

DAY = date(2021, 6, 15)  # rows are generated for it and moved to the day of a format
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


def reordered_columns(content: bytes) -> bytes:
    rows = [line.split(",") for line in content.decode().splitlines()]
    return "".join(f"{time},{user},{track}\n" for user, track, time in rows).encode()


def additional_columns(content: bytes) -> bytes:
    header, *lines = content.decode().splitlines()
    return "\n".join([f"device,{header},note", *(f'phone,{line},"a, b"' for line in lines)]).encode()


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "plain.csv": bytes,
    "marked.csv": lambda content: b"\xef\xbb\xbf" + content,
    "crlf.csv": lambda content: content.replace(b"\n", b"\r\n"),
    "cr.csv": lambda content: content.replace(b"\n", b"\r"),
    "packed.csv": gzip.compress,
    "packed.csv.gz": gzip.compress,
    "not packed.CSV.GZ": bytes,
    "other order.csv": reordered_columns,
    "more columns.csv": additional_columns,
}


@dataclass
class Wave:
    """The files that were put, by the test that checks them."""

    repeated: Journey
    over: list[Journey]
    bad: Journey
    refused: Journey
    names: dict[str, Journey] = field(default_factory=dict)
    by_format: dict[date, Journey] = field(default_factory=dict)

    @property
    def good(self) -> list[Journey]:
        return [self.repeated, *self.over, *self.names.values(), *self.by_format.values()]


@pytest.fixture(scope="module")
def wave(world) -> Wave:
    day = world.new_day()
    over = [world.put_alone("over.csv", sample_data.streams(1, CATALOGUE, day, 150))]
    over += [world.put("over.csv", sample_data.streams(seed, CATALOGUE, day, 150, dirty=0.1)) for seed in (2, 3)]

    day = world.new_day()
    repeated = world.put("repeated.csv", sample_data.streams(1, CATALOGUE, day, 150, dirty=0.1))
    event = s3_events.event_of(world.landed(repeated))
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(world.send, [event] * 5))
    bad = world.put("bad.csv", sample_data.streams(2, CATALOGUE, day, 100, dirty=0.21))
    refused = world.put("names/[bad] .../%00 é.csv", sample_data.broken(day)["missing_columns"])
    put = Wave(repeated, over, bad, refused)

    day = world.new_day()
    for number, name in enumerate(NAMES):
        put.names[name] = world.put(f"names/{name}", sample_data.streams(number, CATALOGUE, day, 20, dirty=0.05))

    rows = sample_data.streams(9, CATALOGUE, DAY, 120)
    for name, write in FORMATS.items():
        day = world.new_day()
        put.by_format[day] = world.put(f"formats/{name}", write(moved(rows, day)))
    world.wait_until_ended(*put.good, bad, refused)
    return put


def moved(rows: bytes, day: date) -> bytes:
    """Move the rows of `DAY` to another day."""
    for shift in (timedelta(days=-1), timedelta(0), timedelta(days=1)):
        rows = rows.replace(str(DAY + shift).encode(), str(day + shift).encode())
    return rows


def test_every_row_counts_once(world, wave):
    world.check()
    world.check_archived(*wave.good)


def test_an_event_delivered_six_times_has_one_effect(world, wave):
    entry = world.entry(wave.repeated)
    event = s3_events.event_of(entry.source)
    world.send(event, event)  # twice more after the run
    awaited(lambda: are_queues_empty(world))
    assert world.entry(wave.repeated) == entry
    assert entry.attempt == 1
    execution = world.execution_of(wave.repeated)
    assert world.lake.appends(LISTENS, execution) == world.lake.appends(REJECTED_ROWS, execution) == 1


def are_queues_empty(world: World) -> bool:
    """Return whether no message waits, is in flight or is a dead letter."""
    sqs = world.stack.client("sqs")
    urls = [world.stack.outputs[output] for output in ("ArrivalsQueueUrl", "ArrivalsDeadLetterQueueUrl")]
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"] for url in urls]
    return not any(int(count) for of_queue in counts for count in of_queue.values())


def test_each_version_of_a_key_is_a_separate_source(world, wave):
    entries = [world.entry(put) for put in wave.over]
    assert len({entry.source.key for entry in entries}) == 1
    assert len({entry.source.version_id for entry in entries}) == len({entry.archive_key for entry in entries}) == 3


def test_file_with_any_name_is_kept_under_a_safe_key(world, wave):
    safe = r"{}/\d{{4}}/\d\d/\d\d/[0-9a-f]{{32}}/[0-9A-Za-z._-]{{1,200}}"
    for name, put in wave.names.items():
        entry = world.entry(put)
        assert entry.source.key == f"incoming/names/{name}"
        assert re.fullmatch(safe.format("archive"), entry.archive_key)
    refused = world.entry(wave.refused)
    assert (refused.status, refused.reason) == (Status.QUARANTINED, "missing_columns")
    assert re.fullmatch(safe.format("quarantine"), refused.archive_key)
    assert not world.is_at_landing_key(refused)


def test_every_format_gives_the_same_metrics(world, wave):
    items = world.items()
    by_day = [without_day_and_run(items, day) for day in wave.by_format]
    assert len(by_day[0]) > 20
    assert all(each == by_day[0] for each in by_day)


def without_day_and_run(items: list[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    """Return a day's items without the attributes of the day and the run."""
    left_out = {"sk", "day", "track_day", "version", "batch_id", "updated_at"}
    of_day = [{**item, "pk": item["pk"].replace(str(day), "DAY")} for item in items if is_of(item, day)]
    return sorted(
        ({name: value for name, value in item.items() if name not in left_out} for item in of_day),
        key=lambda item: item["pk"],
    )


def test_no_row_of_a_file_with_too_many_bad_rows_counts(world, wave):
    entry = world.entry(wave.bad)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_bad_rows")
    assert (entry.rows_read, entry.rows_accepted) == (100, 0)
    assert sum(entry.rejected.values()) == 21
    assert world.kept(entry) == world.streams[wave.bad.source_id].content
    assert not world.is_at_landing_key(entry)


def test_late_file_recomputes_only_its_days(world, wave):
    before = {(item["pk"], item["sk"]): item for item in world.items()}
    day = min(wave.by_format)
    [entry] = world.wait_until_ended(world.put("late.csv", sample_data.streams(50, CATALOGUE, day, 80)))
    touched = {key for key, item in before.items() if any(is_of(item, day) for day in entry.days)}
    after = {(item["pk"], item["sk"]): item for item in world.items()}
    assert all(after[key] == item for key, item in before.items() if key not in touched)
    assert all(after[key]["version"] > before[key]["version"] for key in touched)
    world.check()
