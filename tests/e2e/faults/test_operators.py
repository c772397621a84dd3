"""Requests of operators: replay, retract, forget."""

import gzip
from dataclasses import dataclass, field, replace

import pytest

from music_streams import clock
from music_streams.reconcile import stalled
from music_streams.state import requests
from music_streams.state.requests import Action, Forget
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from music_streams_cli.journey import Journey
from tests.e2e.faults.traces import traces_of
from tests.e2e.faults.world import CATALOGUE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

USER = 7_310_574_920_163  # no other user's id holds its digits, none is greater
LATER = sample_data.Catalogue.generate(42, songs=40, users=300)  # songs that arrive after their listens


@dataclass
class Files:
    """The files that were put, by what tests do with them."""

    parked: Journey
    retracted: Journey
    of_user: list[Journey]
    days_of_retracted: list[str] = field(default_factory=list)


def with_user(content: bytes, day: str) -> bytes:
    """Add rows of a user to a file: listens, an unknown track, and malformed lines."""
    track = CATALOGUE.track_ids[0]
    lines = [f"{USER},{track},{day} 1{hour}:00:00" for hour in range(5)]
    lines += [f"{USER},{'z' * 22},{day} 12:00:00", f"{USER},{track},yesterday", f"{USER},{track}"]
    return content + "".join(f"{line}\n" for line in lines).encode()


def without_user(content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(keepends=True) if not line.startswith(f"{USER},".encode()))


@pytest.fixture(scope="module")
def files(world) -> Files:
    day = world.new_day()
    plain, packed, bad = (
        with_user(sample_data.streams(seed, CATALOGUE, day, 60, dirty=dirty), str(day))
        for seed, dirty in ((1, 0.05), (2, 0.0), (3, 0.5))
    )
    put = Files(
        parked=world.put("operators/parked.csv", sample_data.streams(4, LATER, world.new_day(), 200, unknown=0.05)),
        retracted=world.put(
            "operators/retracted.csv", sample_data.streams(5, CATALOGUE, world.new_day(), 200, dirty=0.05)
        ),
        of_user=[
            world.put("operators/plain.csv", plain),
            world.put("operators/packed.csv.gz", gzip.compress(packed)),
            world.put("operators/bad.csv", bad),
        ],
    )
    world.wait_until_ended(put.parked, put.retracted, *put.of_user)
    put.days_of_retracted = world.entry(put.retracted).days
    assert [world.entry(each).status for each in put.of_user][1:] == [Status.ARCHIVED, Status.QUARANTINED]
    return put


@pytest.fixture(scope="module")
def processed(world, files) -> Files:
    """The files after the songs arrived, the replay and the retract."""
    world.check()
    assert world.entry(files.parked).rejected == {"unknown_track": 200}
    world.wait_until_ended(world.put_reference("songs", "later.csv", LATER.songs))
    assert files.parked.source_id in {entry.source.source_id for entry in stalled.parked(world.stack.ledger)}
    world.ask(files.parked, Action.REPLAY)
    world.ask(files.retracted, Action.RETRACT)
    world.wait_for_status(files.parked, Status.ARCHIVED, attempt=2)
    world.wait_for_status(files.retracted, Status.RETRACTED, attempt=2)
    world.songs.append(LATER.songs)
    return files


def test_rows_whose_songs_arrive_later_count_once(world, processed):
    retracted = world.streams.pop(processed.retracted.source_id)
    world.check()
    world.check_archived(processed.parked)
    assert world.entry(processed.parked).rejected == {"unknown_track": 10}
    assert retracted.content == world.kept(world.entry(processed.retracted))


def test_retracted_file_leaves_no_item(world, processed):
    assert not any(world.of_day(day) for day in processed.days_of_retracted)


def test_forgotten_user_is_in_no_object_but_the_request(world, processed):
    assert len(traces_of(world.stack, USER)) > len(processed.of_user)
    request = Forget(USER, clock.timestamp(processed.parked.put_at))
    world.send(requests.to_message(request))
    assert world.ended(f"{request.batch_id}-1") == "SUCCEEDED"
    for put in processed.of_user:
        kept, before = world.kept(world.entry(put)), world.streams[put.source_id]
        is_packed = before.content.startswith(b"\x1f\x8b")
        content = without_user(gzip.decompress(before.content) if is_packed else before.content)
        assert (gzip.decompress(kept) if is_packed else kept) == content
        world.streams[put.source_id] = replace(before, content=content)
    world.check()
    assert {key.rpartition("/")[0] for key in traces_of(world.stack, USER)} == {
        f"runs/{request.batch_id}"
    }  # the request
