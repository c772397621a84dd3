"""Hostile files are read in chunks, quarantined, and do not affect the other files of their batch."""

import gzip
import random

import pytest

from music_streams.ingest.outcomes import Outcome
from music_streams.state.run_files import read_manifest
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.validate import Validate, message
from tests.integration.domain.world import GOOD
from tests.pieces import MIB, packed, with_peak_memory

MAX_FILE_BYTES = 64 * MIB


NOISE = random.Random(9).randbytes(MIB)
HOSTILE = {
    "a gzip bomb": (packed(b"\n" * MIB for _ in range(100)), "too_large"),
    "a gzip bomb of rows": (packed(GOOD * (MIB // len(GOOD)) for _ in range(100)), "too_large"),
    "a bomb in a bomb": (gzip.compress(packed(b"\0" * MIB for _ in range(100))), "not_utf8"),
    "a line without end": (packed(b"x" * MIB for _ in range(60)), "not_csv"),
    "60,000 columns": (",".join(f"c{n}" for n in range(60_000)).encode() + b"\n", "not_csv"),
    "NUL bytes": (GOOD + b"\0" * 1000, "not_csv"),
    "noise": (NOISE, "not_utf8"),
    "noise that begins as gzip": (b"\x1f\x8b" + NOISE, "not_csv"),
    "truncated gzip": (gzip.compress(GOOD * 1000)[:-20], "not_csv"),
    "gzip with noise behind": (gzip.compress(GOOD) + NOISE[:1000], "not_csv"),
}


@pytest.fixture(scope="module")
def batch(world):
    """One batch of all hostile files between good files."""
    first, last = world.upload(), world.upload()
    hostile = {name: world.upload(content) for name, (content, _) in HOSTILE.items()}
    validate = Validate(world, *map(message, (first, *hostile.values(), last)), max_file_bytes=MAX_FILE_BYTES)
    validate.deliver()
    return validate, hostile, [first, last]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_quarantined_unchanged(world, batch, name):
    content, reason = HOSTILE[name]
    entry = world.entry(batch[1][name])
    assert (entry.status, entry.reason) == (Status.QUARANTINED, reason)
    assert world.content(entry.archive_key) == content
    assert not world.is_at_landing_key(entry.source)


def test_the_other_files_of_the_batch_are_processed(world, batch):
    validate, hostile, good = batch
    assert validate.outcomes == [Outcome.VALID, *[Outcome.QUARANTINED] * len(hostile), Outcome.VALID]
    assert validate.queue == []
    run = Run.holding(world, good[0])
    assert read_manifest(world.s3, run.folder).source_ids == sorted(source.source_id for source in good)
    assert run.name in world.executions()
    run.go()
    assert [world.status(source) for source in good] == [Status.ARCHIVED] * 2


@pytest.mark.parametrize("name", ["a gzip bomb of rows", "a line without end"])
def test_a_hostile_file_is_validated_in_little_memory(world, name):
    validate = Validate(world, message(world.upload(HOSTILE[name][0])), max_file_bytes=MAX_FILE_BYTES)
    _, peak = with_peak_memory(validate.deliver)
    assert validate.outcomes == [Outcome.QUARANTINED]
    assert peak < 16 * MIB
