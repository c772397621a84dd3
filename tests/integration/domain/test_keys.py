"""Files under keys of every kind are validated, staged, archived and quarantined unchanged under safe names."""

import re

import pytest

from music_streams.ingest.outcomes import Outcome
from music_streams.state.run_files import read_manifest
from music_streams.state.statuses import Status
from tests.integration.domain.run import TOO_MANY_BAD_ROWS, Run
from tests.integration.domain.validate import deliver, message
from tests.integration.domain.world import GOOD, LAKE

LONGEST = "incoming/" + "é" * ((1024 - len("incoming/.csv")) // 2) + "x.csv"
KEYS = {
    "spaces": "incoming/a b  c.csv",
    "plus": "incoming/a+b.csv",
    "percent": "incoming/a%2Fb%20c.csv",
    "dots": "incoming/../../etc/passwd.csv",
    "only dots": "incoming/..csv",
    "slashes": "incoming//a//b.csv",
    "hidden": "incoming/_x.csv",
    "a dot first": "incoming/.x.csv",
    "brackets": "incoming/[1]{2}*?.csv",
    "emoji": "incoming/🎧/🎵.csv",
    "1,024 bytes": LONGEST,
    "newline": "incoming/a\nb\r.csv",
    "quotes": "incoming/\"a\"'b'\\c.csv",
    "markup": "incoming/<a>&amp;.csv",
    "upper case": "incoming/A.CSV",
}
SAFE = re.compile(r"(archive|quarantine)/\d{4}/\d\d/\d\d/[0-9a-f]{32}/[0-9A-Za-z._-]{1,200}", re.ASCII)


def test_the_longest_key_is_as_long_as_s3_allows():
    assert len(LONGEST.encode()) == 1024


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_processed_and_archived_under_a_safe_name(world, key):
    content = GOOD + world.name("row").encode() + b",,\n"
    source = world.upload(content, key)
    assert deliver(world, message(source)).outcomes == [Outcome.VALID]
    run = Run.holding(world, source)
    [listed] = read_manifest(world.s3, run.folder).sources
    assert listed.input == f"{source.source_id}.csv"
    assert world.content(run.folder.key(f"input/{listed.input}"), LAKE) == content
    run.go()
    entry = world.entry(source)
    assert (entry.status, entry.source.key) == (Status.ARCHIVED, key)
    assert SAFE.fullmatch(entry.archive_key)
    assert world.content(entry.archive_key) == content
    assert not world.is_at_landing_key(source)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("is_rejected_by_its_run", [False, True], ids=["by validate", "after its run"])
def test_a_key_is_quarantined_under_a_safe_name(world, key, is_rejected_by_its_run):
    content = GOOD + b"\xff" * (not is_rejected_by_its_run)
    source = world.upload(content, key)
    deliver(world, message(source))
    if is_rejected_by_its_run:
        Run.holding(world, source).go(**{source.source_id: TOO_MANY_BAD_ROWS})
    entry = world.entry(source)
    assert (entry.status, entry.source.key) == (Status.QUARANTINED, key)
    assert SAFE.fullmatch(entry.archive_key)
    assert world.content(entry.archive_key) == content
    assert b"verdict" in (world.content(entry.archive_key.rsplit("/", 1)[0] + "/reason.json") or b"")
    assert not world.is_at_landing_key(source)
