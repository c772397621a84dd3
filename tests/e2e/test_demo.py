"""The demo, and every item of its day compared with the oracle."""

import pytest
from boto3.dynamodb.conditions import Attr

from music_streams import clock
from music_streams.state.statuses import Status
from music_streams_cli.commands import demo
from tests.e2e.conftest import music_streams, reference_files
from tests.oracle import Batch, Reference, StreamFile, differences, evaluate, scan_items

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown(cloud) -> str:
    """Return the output of the demo."""
    ended = music_streams(cloud, "demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def entries(stack, shown):
    """Return the ledger entries of the demo's stream files by key."""
    entries = stack.ledger.search(Attr("key").begins_with(f"incoming/streams_{demo.DAY}_"))
    return {entry.source.key: entry for entry in entries}


@pytest.fixture(scope="module")
def expected(stack, entries):
    """Return the oracle's result for the demo's files and all reference data in the bucket."""
    streams = [
        StreamFile(entries[key].source.source_id, body, clock.parse(entries[key].source.received_at))
        for key, body in demo.files().items()
        if key in entries
    ]
    reference = Reference(reference_files(stack, "songs"), reference_files(stack, "users"), 1)
    return evaluate([Batch(streams, reference)])


def test_every_item_of_its_day_equals_the_independent_computation(stack, expected):
    items = [item for item in scan_items(stack.metrics) if item["day"] == str(demo.DAY)]
    assert len(items) > 20
    assert differences(expected.items, items) == []


def test_every_file_ends_as_the_oracle_says(entries, expected):
    assert len(entries) == 4
    for entry in entries.values():
        source = expected.sources[entry.source.source_id]
        assert entry.status is (Status.QUARANTINED if source.verdict else Status.ARCHIVED)
        counts = (entry.rows_read, entry.rows_accepted, entry.rejected)
        assert counts == (source.rows_read, source.rows_accepted, source.rejected)


def test_it_shows_the_row_counts_the_reason_and_the_next_commands(shown, entries):
    read = sum(entry.rows_read for entry in entries.values())
    accepted = sum(entry.rows_accepted for entry in entries.values())
    assert f"rows read {read:,} = accepted {accepted:,} + rejected {read - accepted:,}" in shown
    assert "missing_columns: the header row lacks: track_id" in shown
    assert f"next, while it runs: music-streams status, music-streams metrics day {demo.DAY}" in shown
    assert "\x1b" not in shown
