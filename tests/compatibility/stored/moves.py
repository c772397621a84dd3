"""The state before a stage: sources whose status the ledger itself has changed, and files of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from music_streams.aws import objects
from music_streams.state import run_files
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import LoadReport, Manifest
from music_streams.state.sources import Source, Treatment
from tests.compatibility.stored.run import BAD, BATCH, EXECUTION, EXECUTIONS, FOLDER, GOOD, RUN, SETTLED
from tests.compatibility.stored.sources import PACKED, PLAYS, in_order, listed
from tests.compatibility.world import FILES, World

Move = Callable[[Ledger, Entry], object]
MOVES: dict[str, Move] = {
    "validate": lambda ledger, entry: ledger.mark_valid(entry, BATCH),
    "run": lambda ledger, entry: ledger.mark_running(entry, f"{EXECUTIONS}:{entry.batch_id}-{entry.attempt}"),
    "publish": lambda ledger, entry: ledger.mark_published(entry, GOOD, 1_234),
    "archive": lambda ledger, entry: ledger.mark_archived(entry, entry.source.kept_key("archive")),
    "fail": lambda ledger, entry: ledger.mark_failed(
        entry, entry.execution_arn, "FAILED: States.TaskFailed: no memory"
    ),
    "refuse": lambda ledger, entry: ledger.mark_quarantined(entry, "too_large", entry.source.kept_key("quarantine")),
    "reject": lambda ledger, entry: ledger.mark_quarantined(
        entry, "too_many_bad_rows", entry.source.kept_key("quarantine"), BAD, 1_234
    ),
    "retract": lambda ledger, entry: ledger.mark_retracted(entry),
}
TO_ARCHIVED = ("validate", "run", "publish", "archive")
TO_FAILED = ("validate", "run", "fail")
TO_REJECTED = ("validate", "run", "reject")


def ledger_of(world: World) -> Ledger:
    return Ledger(FILES, world.dynamodb)


def advance(world: World, source: Source, *moves: str | Treatment) -> Entry:
    """Receive a source and change its status with the ledger: by MOVES, or by a renewal with a treatment."""
    ledger = ledger_of(world)
    entry = ledger.claim(source, 300)
    for move in moves:
        assert entry is not None
        if isinstance(move, Treatment):
            result: object = ledger.renew(entry, BATCH, entry.attempt + 1, move)
        else:
            result = MOVES[move](ledger, entry)
        assert result is not False
        entry = ledger.entry(source.source_id)
    assert entry is not None
    return entry


def before_settling(world: World) -> None:
    """Set up a run whose jobs have finished: one file is to be published, one is to be quarantined."""
    manifest = Manifest(BATCH, in_order(listed(PLAYS), listed(PACKED, ".csv.gz")))
    for source in (PLAYS, PACKED):
        advance(world, source, "validate", "run")
    run_files.write_manifest(world.s3, FOLDER, manifest)
    run_files.write_claimed(world.s3, FOLDER, EXECUTION, manifest)
    run_files.write_result(world.s3, FOLDER, RUN, SETTLED)
    run_files.write_load_report(world.s3, FOLDER, RUN, LoadReport(40, 2))


@contextmanager
def without_copies() -> Iterator[None]:
    """Skip the copying of files, which no fixture needs."""
    nothing: Any = dict.fromkeys(("copy", "copy_and_verify", "move", "read_metadata"), lambda *_: None)
    with patch.multiple(objects, **nothing):
        yield
