"""The lines of a user are permanently removed from every kept file, and no other lines are."""

import gzip
import itertools
import json
import logging
import re
import traceback
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from music_streams.aws import objects
from music_streams.errors import ArchiveMismatch, BadEvent, DamagedObject, ForgetFailed, Unreadable
from music_streams.forget import recompression
from music_streams.forget.erasure import Erasure
from music_streams.reference.of_run import ReferenceResult
from music_streams.run.archive import archive_sources
from music_streams.run.claim import claim_sources
from music_streams.state import requests
from music_streams.state.removed_rows import RemovalRecords
from music_streams.state.requests import Forget
from music_streams.state.run_files import Manifest, RunFolder, Summary, read_claimed, write_manifest, write_summary
from music_streams.state.sources import Source, request_batch_id
from music_streams.state.statuses import Status
from music_streams.transform import job
from music_streams.transform.masked_errors import masked_user_ids
from music_streams.transform.ports import LISTENS, REJECTED_ROWS
from music_streams.validation import file_verdicts
from music_streams.validation.gunzip import MAX_MEMBERS, gunzip
from tests.differential import reading
from tests.integration.domain.validate import Validate, ample_time
from tests.integration.domain.world import FILES, LAKE, LANDING, RECEIVED_AT, always, before_and_after, never
from tests.stateful.files import Listen, Rejected
from tests.stateful.memory_lake import MemoryLake, Tables

MIB = 1024 * 1024
USER = 7
HEADER = b"user_id,track_id,listen_time\n"
THEIRS = b"007,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
OTHERS = b"70,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-07 17:43:13\n"
FILE = HEADER + THEIRS + OTHERS
WITHOUT_USER = HEADER + OTHERS
BROKEN = b"user,track\n7,1\n70,1\n"
BROKEN_WITHOUT_USER = b"user,track\n70,1\n"
FILE_SECONDS = 540.0
YEARS_AGO, IN_YEARS = "2001-01-01T00:00:00.000Z", "2201-01-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def _empty_ledger(world):
    empty_ledger(world)


def empty_ledger(world):
    """Delete ledger and run folders: each erasure reads all quarantined files and all run folders."""
    world.sent_alerts()
    for item in world.dynamodb.scan(TableName=FILES)["Items"]:
        world.dynamodb.delete_item(TableName=FILES, Key={"source_id": item["source_id"]})
    for item in world.s3.list_objects_v2(Bucket=LAKE, Prefix="runs/").get("Contents", []):
        world.s3.delete_object(Bucket=LAKE, Key=item["Key"])


def put(world, key: str, content: bytes, **described: Any) -> str:
    version: str = world.s3.put_object(Bucket=LANDING, Key=key, Body=content, **described)["VersionId"]
    return version


def kept(world, content: bytes = FILE, status: Status = Status.ARCHIVED, key: str = "", **entry: Any) -> Source:
    """Return a finished source, which is no longer where it landed."""
    source = Source(LANDING, key or f"incoming/{world.name('streams')}.csv", world.name("v"), len(content), RECEIVED_AT)
    kept_key = source.kept_key("quarantine" if status is Status.QUARANTINED else "archive")
    put(world, kept_key, content)
    world.put_entry(source, status, archive_key=kept_key, **entry)
    return source


def forget_run(world, *forgotten: Source, users: tuple[int, ...] = (USER,)) -> RunFolder:
    """Return the folder of a run whose jobs have deleted the users from the lake."""
    folder = RunFolder(LAKE, world.name("forget"))
    write_manifest(world.s3, folder, Manifest(folder.batch_id, [], forget=list(users)))
    forgotten_ids = [source.source_id for source in forgotten]
    write_summary(world.s3, folder, Summary(folder.batch_id, "name-1", 0, "", [], "", forgotten=forgotten_ids))
    return folder


@dataclass
class Clock:
    """A clock that a test advances."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def erase(world, folder, has_time=always, s3=None, max_file_bytes=1024**3, clock=None) -> int:
    erasure = Erasure(s3 or world.s3, world.ledger, world.alerts, max_file_bytes, clock or Clock())
    return erasure.erase(folder.manifest_uri, has_time, FILE_SECONDS)


def versions(world, source: Source) -> list[tuple[str, str]]:
    """Return all versions under the keys where a source is kept: prefix, and version or marker."""
    listed = []
    for prefix in ("archive", "quarantine"):
        page = world.s3.list_object_versions(Bucket=LANDING, Prefix=source.kept_key(prefix))
        listed += [(prefix, "version") for _ in page.get("Versions", [])]
        listed += [(prefix, "marker") for _ in page.get("DeleteMarkers", [])]
    return listed


def content(world, source: Source) -> bytes | None:
    """Return the current content of the file."""
    current: bytes | None = world.content(world.entry(source).place.key)
    return current


def stage(world, source: Source, suffix: str = ".csv") -> str:
    key = f"runs/{world.name('batch')}/input/{source.source_id}{suffix}"
    world.s3.put_object(Bucket=LAKE, Key=key, Body=FILE)
    return key


# ── What is removed ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lines_of_a_user_are_removed_from_the_files_that_the_lake_named(world):
    source, other = kept(world), kept(world)
    assert erase(world, forget_run(world, source)) == 0
    assert content(world, source) == WITHOUT_USER
    assert versions(world, source) == [("archive", "version")]
    assert content(world, other) == FILE


@pytest.mark.parametrize("status", [Status.QUARANTINED, Status.RETRACTED])
def test_a_file_without_rows_in_the_lake_is_always_searched(world, status):
    source = kept(world, status=status)
    assert erase(world, forget_run(world)) == 0
    assert content(world, source) == WITHOUT_USER
    assert len(versions(world, source)) == 1


BROKEN_FILES = {
    "missing columns": (BROKEN, BROKEN_WITHOUT_USER),
    "not CSV": (FILE + b"\0", WITHOUT_USER + b"\0"),
    "not UTF-8": (HEADER + b"7,\xe9,x\r\n\xe9\r70,b,c", HEADER + b"\xe9\r70,b,c"),
    "UTF-16": (
        b"\xff\xfe" + BROKEN.decode().replace("\n", "\r\n").encode("utf-16-le"),
        b"\xff\xfe" + BROKEN_WITHOUT_USER.decode().replace("\n", "\r\n").encode("utf-16-le"),
    ),
    "a long line": (
        FILE + b"x" * 3_000_000 + b",7,\n" + b"y" * 3_000_000 + b",70",
        WITHOUT_USER + b"y" * 3_000_000 + b",70",
    ),
}


@pytest.mark.parametrize(("stored", "expected"), BROKEN_FILES.values(), ids=BROKEN_FILES)
@pytest.mark.parametrize("is_gzip", [False, True], ids=["as it is", "gzip"])
def test_lines_that_contain_the_id_are_removed_from_a_file_without_a_usable_header(world, stored, expected, is_gzip):
    stored, expected = (data.replace(OTHERS, b"70,4dBa8T7oDV9WvGr7kVS4Ez,x\n") for data in (stored, expected))
    source = kept(world, gzip.compress(stored) if is_gzip else stored, Status.QUARANTINED)
    erase(world, forget_run(world))
    found = content(world, source)
    assert found is not None
    assert reading.uncompressed(found) == (expected, False)
    assert found.startswith(b"\x1f\x8b") == is_gzip


def test_gzip_of_several_members_stays_gzip(world):
    source = kept(world, gzip.compress(HEADER + THEIRS[:9]) + gzip.compress(THEIRS[9:] + OTHERS))
    erase(world, forget_run(world, source))
    assert reading.uncompressed(content(world, source) or b"") == (WITHOUT_USER, False)


@pytest.mark.parametrize(("line", "is_gone"), [(b"7,1\n", True), (b"70,1\n", False)])
def test_damaged_gzip_that_contains_the_id_is_deleted_whole(world, line, is_gone):
    source = kept(world, gzip.compress(b"a,b\n" + line)[:-5], Status.QUARANTINED)
    assert erase(world, forget_run(world)) == 0
    assert (versions(world, source) == []) == is_gone


def test_a_file_of_many_parts_is_rewritten(world):
    rows = b"".join(OTHERS + (THEIRS if number % 3 == 0 else b"") for number in range(200_000))
    source = kept(world, HEADER + rows)
    assert erase(world, forget_run(world, source)) == 0
    found = content(world, source)
    assert found == HEADER + rows.replace(THEIRS, b"")
    assert len(found) > 8 * 1024**2
    assert versions(world, source) == [("archive", "version")]


def test_content_type_and_metadata_of_a_file_stay(world):
    source = kept(world)
    key = source.kept_key("archive")
    described = {"ContentType": "text/csv", "Metadata": {"producer": "app"}}
    put(world, key, FILE, **described)
    erase(world, forget_run(world, source))
    found = world.s3.head_object(Bucket=LANDING, Key=key)
    assert {name: found[name] for name in described} == described


@pytest.mark.parametrize("stored", [FILE, WITHOUT_USER], ids=["to be written", "clean"])
def test_older_versions_markers_and_other_copies_are_deleted(world, stored):
    source = kept(world, status=Status.ARCHIVED)
    archive, quarantine = source.kept_key("archive"), source.kept_key("quarantine")
    world.s3.delete_object(Bucket=LANDING, Key=archive)
    put(world, archive, stored)
    put(world, quarantine, FILE)
    world.s3.delete_object(Bucket=LANDING, Key=quarantine)
    put(world, quarantine + "x", FILE)
    put(world, quarantine.rsplit("/", 1)[0] + "/reason.json", b"{}")
    erase(world, forget_run(world, source))
    assert content(world, source) == WITHOUT_USER
    assert versions(world, source) == [("archive", "version"), ("quarantine", "version")]  # of the longer key
    assert world.content(quarantine) is None
    assert world.content(quarantine + "x") == FILE
    assert world.content(quarantine.rsplit("/", 1)[0] + "/reason.json") == b"{}"


def test_a_clean_file_is_not_rewritten(world):
    source = kept(world, WITHOUT_USER, Status.QUARANTINED)
    before = world.s3.head_object(Bucket=LANDING, Key=source.kept_key("quarantine"))["VersionId"]
    erase(world, forget_run(world))
    assert world.s3.head_object(Bucket=LANDING, Key=source.kept_key("quarantine"))["VersionId"] == before


def test_all_versions_of_a_file_that_somebody_deleted_are_deleted(world):
    source = kept(world)
    world.s3.delete_object(Bucket=LANDING, Key=source.kept_key("archive"))
    put(world, source.kept_key("archive") + "x", FILE)
    assert erase(world, forget_run(world, source)) == 0
    assert versions(world, source) == [("archive", "version")]  # of the longer key
    assert world.content(source.kept_key("archive") + "x") == FILE


def test_staged_copies_of_past_runs_are_deleted_and_no_other_objects(world):
    source, other = kept(world, updated_at=IN_YEARS), kept(world, updated_at=IN_YEARS)
    copies = [stage(world, source), stage(world, source), stage(world, source, ".csv.gz")]
    for_a_new_attempt = stage(world, kept(world, status=Status.QUARANTINED, updated_at=YEARS_AGO))
    of_another = stage(world, other)
    beside = f"runs/b/metrics/{source.source_id}.csv"
    world.s3.put_object(Bucket=LAKE, Key=beside, Body=b"x")
    erase(world, forget_run(world, source))
    assert [world.content(key, LAKE) for key in copies] == [None] * 3
    assert all(world.content(key, LAKE) for key in (for_a_new_attempt, of_another, beside))


# ── What stays ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_users_nothing_changes(world):
    source = kept(world, HEADER + b",,\n", Status.QUARANTINED)
    assert erase(world, forget_run(world, source, users=())) == 0
    assert content(world, source) == HEADER + b",,\n"


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING, Status.PUBLISHED, Status.FAILED])
def test_a_file_in_flight_is_skipped_with_a_warning(world, status, caplog):
    source, other = kept(world), kept(world)
    copy = stage(world, source)
    world.put_entry(source, status, archive_key=source.kept_key("archive"), updated_at=IN_YEARS)
    assert erase(world, forget_run(world, source, other)) == 0
    assert content(world, source) == FILE
    assert world.content(copy, LAKE) == FILE
    assert content(world, other) == WITHOUT_USER
    [warning] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert source.uri in warning
    assert status in warning


@pytest.mark.parametrize("key", ["reference/users/a.csv", "reference/songs/a.csv"])
def test_a_reference_file_in_use_is_not_changed(world, key):
    source = kept(world, key=key, status=Status.RETRACTED)
    put(world, key, FILE)
    assert erase(world, forget_run(world, source)) == 0
    assert world.content(key) == FILE
    assert world.content(source.kept_key("archive")) == FILE


def test_no_line_of_the_file_is_logged(world, caplog):
    caplog.set_level(logging.DEBUG, logger="music_streams")
    damaged = kept(world, gzip.compress(FILE)[:-5], Status.QUARANTINED)
    erase(world, forget_run(world, kept(world), damaged))
    assert len(caplog.messages) == 2
    assert "4dBa8T7oDV9WvGr7kVS4Ez" not in caplog.text
    assert not re.search(r"\b0*7\b", " ".join(record.getMessage() for record in caplog.records))


class _Corrupting:
    """An S3 client that stores other bytes than it was given under one key."""

    def __init__(self, s3: Any, corrupted_key: str) -> None:
        self._s3 = s3
        self._corrupted_key = corrupted_key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def upload_fileobj(self, file: Any, bucket: str, key: str, **_options: Any) -> None:
        self._s3.put_object(Bucket=bucket, Key=key, Body=file.read()[: -1 if key == self._corrupted_key else None])


def test_a_version_that_was_not_stored_as_written_is_deleted_the_file_stays_and_others_are_cleared(world):
    source, other = kept(world), kept(world)
    put(world, source.kept_key("archive"), FILE)
    folder = forget_run(world, source, other)
    with pytest.raises(ArchiveMismatch, match="stays"):
        erase(world, folder, s3=_Corrupting(world.s3, source.kept_key("archive")))
    assert (content(world, source), content(world, other)) == (FILE, WITHOUT_USER)
    assert versions(world, source) == [("archive", "version")] * 2
    assert erase(world, folder) == 0
    assert content(world, source) == WITHOUT_USER


# ── Crashes, time, other processes ────────────────────────────────────────────────────────────────────────────────────

AT_REST = {
    "archived gzip": (Status.ARCHIVED, gzip.compress(FILE), WITHOUT_USER),
    "damaged gzip": (Status.QUARANTINED, gzip.compress(FILE)[:-5], None),
    "deleted": (Status.ARCHIVED, None, None),
}


@before_and_after
@pytest.mark.parametrize(("status", "stored", "cleared"), AT_REST.values(), ids=AT_REST)
def test_erasing_may_crash_at_any_call_and_be_repeated(world, status, stored, cleared, is_done):
    for call in itertools.count(1):
        empty_ledger(world)
        source = kept(world, stored or FILE, status, updated_at=IN_YEARS)
        put(world, source.kept_key("archive"), stored or FILE)
        put(world, source.kept_key("quarantine"), stored or FILE)
        if not stored:
            world.s3.delete_object(Bucket=LANDING, Key=source.kept_key("archive"))
        copy = stage(world, source)
        folder = forget_run(world, source)
        if not world.crashes(partial(erase, world, folder), call, is_done=is_done):
            break
        found = content(world, source)
        assert found == stored or cleared == (reading.uncompressed(found)[0] if found else None)
        assert erase(world, folder) == 0
        found = content(world, source)
        assert (reading.uncompressed(found)[0] if found else None) == cleared, call
        assert len(versions(world, source)) == (1 if cleared else 0), call
        assert world.content(copy, LAKE) is None, call
    least = ["manifest", "summary", "index", "index", "entries", "notes", "versions", "versions", "validate", "find"]
    assert call > len([*least, "entry", "removal", "removal", "notes", "staged", "removal"])


@pytest.mark.parametrize("max_file_bytes", [MIB, 10], ids=["cleared", "deleted whole"])
def test_a_version_that_is_written_meanwhile_is_never_deleted(world, max_file_bytes):
    for call in itertools.count(1):
        empty_ledger(world)
        source = kept(world, status=Status.QUARANTINED)
        key = source.kept_key("archive")
        put(world, key, FILE)  # left over

        def release(source=source, key=key):
            put(world, key, b"the archived file")
            world.put_entry(source, Status.ARCHIVED, archive_key=key, attempt=2)

        folder = forget_run(world)
        with world.interrupt_at(call, release) as calls:
            assert erase(world, folder, max_file_bytes=max_file_bytes) == 0
        if len(calls) < call:
            break
        assert world.content(key) == b"the archived file", calls
    assert call > len(["manifest", "summary", "index", "index", "entries", "notes", "versions", "versions", "entry"])


def test_files_are_cleared_in_slices_each_once(world):
    sources = [kept(world) for _ in range(20)]
    folder = forget_run(world, *sources)
    assert erase(world, folder, never) == 4
    cleared = [source for source in sources if content(world, source) == WITHOUT_USER]
    assert len(cleared) == 16
    for source in cleared:  # a second search would remove the lines
        put(world, source.kept_key("archive"), FILE)
    assert erase(world, folder, never) == 0
    assert [content(world, source) for source in cleared] == [FILE] * 16
    assert all(content(world, source) == WITHOUT_USER for source in sources if source not in cleared)
    assert erase(world, folder, never) == 0


def large(world, count: int) -> list[Source]:
    """Return quarantined files, each of which is a slice of its own by the size in its entry."""
    sources = [kept(world, status=Status.QUARANTINED) for _ in range(count)]
    for source in sources:
        entry = Source(LANDING, source.key, source.version_id, 60 * MIB, RECEIVED_AT)
        world.put_entry(entry, Status.QUARANTINED, archive_key=source.kept_key("quarantine"))
    return sources


def test_a_large_file_is_a_slice_of_its_own(world):
    large(world, 3)
    folder = forget_run(world)
    assert [erase(world, folder, never) for _ in range(4)] == [2, 1, 0, 0]


def test_files_in_flight_take_no_place_in_a_slice(world):
    moving = [kept(world) for _ in range(20)]
    for source in moving:
        world.put_entry(source, Status.RUNNING)
    source = kept(world)
    assert erase(world, forget_run(world, *moving, source), never) == 0
    assert content(world, source) == WITHOUT_USER


def test_staged_copies_are_deleted_in_slices(world):
    source = kept(world, updated_at=IN_YEARS)
    copies = [stage(world, source) for _ in range(70)]
    folder = forget_run(world, source)
    assert [erase(world, folder, never) for _ in range(3)] == [6, 0, 0]
    assert not any(world.content(key, LAKE) for key in copies)


# ── What cannot be searched ───────────────────────────────────────────────────────────────────────────────────────────


def bomb(mib: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(b"\n" * MIB) for _ in range(mib)), packer.flush()])


def noted(world, folder) -> dict[str, Any]:
    return dict(json.loads(world.content(folder.key("erased.json"), LAKE)))


def finish(world, folder, most: int = 9, **options) -> int:
    """Repeat the step, as the state machine does; return how often."""
    for invocation in range(1, most + 1):
        if erase(world, folder, **options) == 0:
            return invocation
    raise AssertionError("the step does not finish")


def assert_deleted_and_reported(world, folder, source, why: str, caplog) -> None:
    """Assert that no version of the file is left, and that notes, log and an alert name it."""
    assert versions(world, source) == []
    place = world.entry(source).place
    [(source_id, note)] = noted(world, folder)["deleted"].items()
    assert (source_id, note["object"], bool(re.search(why, note["why"]))) == (source.source_id, place.uri, True)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(place.uri in record.message, record.source_id) for record in warnings] == [(True, source.source_id)]
    [alert] = world.sent_alerts()
    assert place.uri in alert["Message"]
    assert re.search(why, alert["Message"])


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (bomb(64), "was never accepted, and has more than 1,048,576 bytes"),
        (gzip.compress(b"x,y\n" + OTHERS * 30_000), "has more than 1,048,576 bytes"),
        (HEADER + OTHERS * 30_000, "has more than 1,048,576 bytes"),
        (gzip.compress(HEADER) + gzip.compress(b"") * MAX_MEMBERS, "more than 100,000 members"),
        (gzip.compress(FILE)[:-5], "damaged gzip"),
    ],
    ids=["line ends", "rows in gzip", "rows", "members", "damaged"],
)
def test_a_file_over_the_limits_that_was_never_accepted_is_deleted_whole_and_others_are_cleared(
    world, stored, why, caplog
):
    first, hostile = kept(world, status=Status.QUARANTINED), kept(world, stored, Status.QUARANTINED)
    put(world, hostile.kept_key("quarantine"), stored)
    put(world, hostile.kept_key("archive"), FILE)
    behind = kept(world)
    folder = forget_run(world, first, hostile, behind)
    assert erase(world, folder, max_file_bytes=MIB) == 0
    assert [content(world, source) for source in (first, behind)] == [WITHOUT_USER] * 2
    assert noted(world, folder)["done"] == sorted(each.source_id for each in (first, hostile, behind))
    assert_deleted_and_reported(world, folder, hostile, why, caplog)


def test_no_more_than_the_limit_is_decompressed(world, monkeypatch):
    inflated = 0

    def counting(*given):
        nonlocal inflated
        for chunk in gunzip(*given):
            inflated += len(chunk)
            yield chunk

    monkeypatch.setattr(file_verdicts, "gunzip", counting)
    monkeypatch.setattr(recompression, "gunzip", counting)
    kept(world, bomb(64), Status.QUARANTINED)
    assert erase(world, forget_run(world), max_file_bytes=2 * MIB) == 0
    assert inflated <= 2 * 3 * MIB


@pytest.mark.parametrize(
    ("status", "entry"),
    [(Status.ARCHIVED, {}), (Status.RETRACTED, {}), (Status.QUARANTINED, {"validated_at": RECEIVED_AT})],
    ids=["archived", "retracted", "quarantined after a run"],
)
@pytest.mark.parametrize(
    "stored",
    [
        FILE,
        gzip.compress(FILE),
        gzip.compress(HEADER) + gzip.compress(b"") * MAX_MEMBERS + gzip.compress(THEIRS + OTHERS),
    ],
    ids=["plain", "gzip", "members"],
)
def test_a_file_that_was_accepted_once_is_searched_whatever_its_size(world, status, entry, stored):
    source = kept(world, stored, status, **entry)
    folder = forget_run(world, source)
    assert erase(world, folder, max_file_bytes=10) == 0
    assert reading.uncompressed(content(world, source) or b"") == (WITHOUT_USER, False)
    assert noted(world, folder) == {"done": [source.source_id]}
    assert world.sent_alerts() == []


def reading_slowly(world, monkeypatch, clock: Clock, seconds: float, *sources: Source) -> None:
    """Advance the clock by `seconds` at each byte of these files."""
    chunks, keys = objects.read_chunks, {world.entry(source).place.key for source in sources}

    def slow(s3: Any, place: Any) -> Iterator[bytes]:
        for chunk in chunks(s3, place):
            for at in range(len(chunk) if place.key in keys else 0):
                clock.now += seconds
                yield chunk[at : at + 1]
            if place.key not in keys:
                yield chunk

    monkeypatch.setattr(objects, "read_chunks", slow)


@pytest.mark.parametrize("status", [Status.QUARANTINED, Status.ARCHIVED])
def test_a_file_that_takes_too_long_alone_in_an_invocation_is_deleted_whole(world, status, monkeypatch, caplog, clock):
    slow = kept(world, status=status)
    others = [kept(world) for _ in range(20)]
    step = FILE_SECONDS / 50  # no pass reads it to its end
    reading_slowly(world, monkeypatch, clock, step, slow)
    folder = forget_run(world, slow, *others)
    durations: list[float] = []
    while erase(world, folder, clock=clock):
        durations.append(clock.now - sum(durations))
    assert len(durations) < 5
    assert max(durations) < FILE_SECONDS + 2 * step
    assert all(content(world, source) == WITHOUT_USER for source in others)
    assert_deleted_and_reported(world, folder, slow, "could not be searched in 540 seconds", caplog)
    assert "slow" not in noted(world, folder)


def test_several_slow_files_finish_one_by_one_and_block_no_others(world, monkeypatch, clock):
    slow = [kept(world, status=Status.QUARANTINED) for _ in range(3)]
    others = [kept(world, status=Status.QUARANTINED) for _ in range(5)]
    reading_slowly(world, monkeypatch, clock, FILE_SECONDS / 50, *slow)
    folder = forget_run(world)
    assert finish(world, folder, clock=clock) <= 8
    assert all(content(world, source) == WITHOUT_USER for source in others)
    assert sorted(noted(world, folder)["deleted"]) == sorted(source.source_id for source in slow)


def test_a_file_that_is_slow_next_to_others_and_in_time_alone_is_cleared(world, monkeypatch, clock):
    slow, heavy = kept(world), kept(world)
    reading_slowly(world, monkeypatch, clock, 1.0, slow, heavy)  # 110 bytes, four times
    folder = forget_run(world, slow, heavy)
    assert finish(world, folder, clock=clock) <= 4
    assert [content(world, each) for each in (slow, heavy)] == [WITHOUT_USER] * 2
    assert noted(world, folder) == {"done": sorted(each.source_id for each in (slow, heavy))}


def test_a_file_that_runs_out_of_time_late_in_an_invocation_is_not_deleted(world, monkeypatch, clock):
    sources = large(world, 2)
    reading_slowly(world, monkeypatch, clock, FILE_SECONDS / 500, *sources)  # each takes most of the time
    folder = forget_run(world)
    assert erase(world, folder, clock=clock) == 1
    assert erase(world, folder, clock=clock) == 0
    assert [content(world, source) for source in sources] == [WITHOUT_USER] * 2


def test_no_file_is_started_after_the_time_is_over(world, monkeypatch, clock):
    reading_slowly(world, monkeypatch, clock, FILE_SECONDS / 50, *large(world, 2))
    folder = forget_run(world)
    assert erase(world, folder, clock=clock) == 1
    assert "slow" not in noted(world, folder)


@pytest.mark.parametrize("last", [3, 4], ids=["as it is written", "as it is read back"])
def test_a_file_whose_rewriting_runs_out_of_time_leaves_no_version(world, last, monkeypatch, clock):
    source = kept(world)
    put(world, source.kept_key("archive"), FILE)
    chunks, reads = objects.read_chunks, 0

    def slow(s3: Any, place: Any) -> Iterator[bytes]:
        nonlocal reads
        reads += 1
        for chunk in chunks(s3, place):
            clock.now += FILE_SECONDS if reads == last else 0.0
            yield chunk

    monkeypatch.setattr(objects, "read_chunks", slow)
    folder = forget_run(world, source)
    assert erase(world, folder, clock=clock) == 0
    assert reads == last
    assert versions(world, source) == []
    assert list(noted(world, folder)["deleted"]) == [source.source_id]


@pytest.mark.parametrize("error", [None, TimeoutError], ids=["time", "an error"])
def test_a_version_that_could_not_be_read_back_does_not_replace_the_file(world, error, monkeypatch, clock):
    source, other = kept(world), kept(world, WITHOUT_USER)
    key, old = source.kept_key("archive"), world.s3.head_object(Bucket=LANDING, Key=source.kept_key("archive"))
    chunks = objects.read_chunks

    def failing(s3: Any, place: Any) -> Iterator[bytes]:
        if place.key == key and place.version_id != old["VersionId"]:
            clock.now += FILE_SECONDS
            if error:
                raise error
        return chunks(s3, place)

    monkeypatch.setattr(objects, "read_chunks", failing)
    folder = forget_run(world, source, other)
    with suppress(TimeoutError):
        assert erase(world, folder, clock=clock) > 0
    assert content(world, source) == FILE
    assert versions(world, source) == [("archive", "version")]


def unreadable(world, monkeypatch, *sources: Source, may_lack_permission: bool = False) -> None:
    chunks, keys = objects.read_chunks, {world.entry(source).place.key for source in sources}

    def fail(s3: Any, place: Any) -> Iterator[bytes]:
        if place.key in keys:
            raise Unreadable(f"{place.uri} is in Glacier", may_lack_permission=may_lack_permission)
        return chunks(s3, place)

    monkeypatch.setattr(objects, "read_chunks", fail)


def test_an_unreadable_quarantined_file_is_deleted_whole(world, monkeypatch, caplog):
    hostile, behind = kept(world, status=Status.QUARANTINED), kept(world)
    unreadable(world, monkeypatch, hostile)
    folder = forget_run(world, behind)
    assert erase(world, folder) == 0
    assert content(world, behind) == WITHOUT_USER
    assert_deleted_and_reported(world, folder, hostile, "cannot be read: .*Glacier", caplog)


def test_metadata_that_s3_rejects_does_not_stop_forgetting(world, monkeypatch):
    source = kept(world)
    head = world.s3.head_object

    def described(**arguments: Any) -> Any:
        odd = {"CacheControl": "é", "ContentType": "text/csv", "Metadata": {"a": "é", "b": "x\x1b", "c": "kept"}}
        return head(**arguments) | odd

    monkeypatch.setattr(world.s3, "head_object", described)
    assert erase(world, forget_run(world, source)) == 0
    assert content(world, source) == WITHOUT_USER
    monkeypatch.undo()
    place = world.entry(source).place
    assert world.s3.head_object(**place.s3_arguments)["Metadata"] == {"c": "kept"}


def test_a_missing_permission_deletes_no_quarantined_file(world, monkeypatch):
    source, behind = kept(world, status=Status.QUARANTINED), kept(world)
    folder = forget_run(world, behind)
    with monkeypatch.context() as patch:
        unreadable(world, patch, source, may_lack_permission=True)
        with pytest.raises(Unreadable):
            erase(world, folder)
        assert (content(world, source), content(world, behind)) == (FILE, WITHOUT_USER)
    assert erase(world, folder) == 0
    assert content(world, source) == WITHOUT_USER


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.RETRACTED])
def test_an_unreadable_archived_file_stays_and_fails_the_step_after_all_others_are_done(
    world, status, monkeypatch, caplog
):
    source, others = kept(world, status=status), [kept(world, updated_at=IN_YEARS) for _ in range(20)]
    copy = stage(world, others[-1])
    folder = forget_run(world, source, *others)
    with monkeypatch.context() as patch:
        unreadable(world, patch, source)
        for _ in range(3):
            with pytest.raises(Unreadable):
                erase(world, folder)
        assert content(world, source) == FILE
        assert all(content(world, each) == WITHOUT_USER for each in others)
        assert world.content(copy, LAKE) is None
        assert world.sent_alerts() == []
        assert {each.source_id for each in caplog.records} == {source.source_id}
    assert erase(world, folder) == 0
    assert content(world, source) == WITHOUT_USER
    assert "failed" not in noted(world, folder)


def test_files_that_fail_block_no_others_and_the_step_ends(world, monkeypatch):
    bad, good = [kept(world) for _ in range(20)], [kept(world) for _ in range(20)]
    unreadable(world, monkeypatch, *bad)
    folder = forget_run(world, *bad, *good)
    with pytest.raises(Unreadable):
        finish(world, folder, has_time=never, most=5)
    assert all(content(world, source) == WITHOUT_USER for source in good)
    assert all(content(world, source) == FILE for source in bad)


def test_a_file_too_large_to_copy_is_deleted_where_it_landed_and_no_other_version_of_its_key(world, caplog):
    key = f"incoming/{world.name('streams')}.csv"
    before, source, after = (world.upload(FILE, key) for _ in range(3))
    world.put_entry(source, Status.QUARANTINED, reason="too_large")
    folder = forget_run(world)
    assert erase(world, folder) == 0
    assert [world.is_at_landing_key(each) for each in (before, source, after)] == [True, False, True]
    assert_deleted_and_reported(world, folder, source, "quarantined for its size", caplog)
    again = forget_run(world)
    assert erase(world, again) == 0
    assert noted(world, again) == {"done": [source.source_id]}
    assert world.sent_alerts() == []


def test_a_reference_file_too_large_to_copy_stays_where_it_landed(world):
    source = world.upload(FILE, f"reference/users/{world.name('users')}.csv")
    world.put_entry(source, Status.QUARANTINED, reason="too_large")
    assert erase(world, forget_run(world)) == 0
    assert world.is_at_landing_key(source)


@before_and_after
@pytest.mark.parametrize("is_copied", [False, True], ids=["where it landed", "in quarantine"])
def test_deleting_a_file_whole_may_crash_at_any_call_and_is_reported_by_the_repeat(world, is_copied, is_done):
    for call in itertools.count(1):
        empty_ledger(world)
        if is_copied:
            hostile = kept(world, status=Status.QUARANTINED)
            put(world, hostile.kept_key("quarantine"), FILE)
        else:
            hostile = world.upload(FILE)
            world.put_entry(hostile, Status.QUARANTINED)
        behind = kept(world)
        folder = forget_run(world, behind)
        repeated = partial(erase, world, folder, max_file_bytes=10)
        if not world.crashes(repeated, call, is_done=is_done):
            break
        assert repeated() == 0
        assert versions(world, hostile) == [], call
        assert not world.is_at_landing_key(hostile), call
        assert content(world, behind) == WITHOUT_USER, call
        assert list(noted(world, folder)["deleted"]) == [hostile.source_id], call
        assert any(world.entry(hostile).place.uri in alert["Message"] for alert in world.sent_alerts()), call
    assert call > len(
        ["manifest", "summary", "index", "index", "entries", "notes", "entry", "removal", "alert", "notes"]
    )


def test_older_notes_are_continued(world):
    done, source = kept(world), kept(world)
    folder = forget_run(world, done, source)
    notes = json.dumps({"done": [done.source_id]}).encode()
    world.s3.put_object(Bucket=LAKE, Key=folder.key("erased.json"), Body=notes)
    assert erase(world, folder) == 0
    assert [content(world, each) for each in (done, source)] == [FILE, WITHOUT_USER]


# ── A forget that failed ──────────────────────────────────────────────────────────────────────────────────────────────


def failed_run(world, *removed: Source, users: tuple[int, ...] = (USER,)) -> RunFolder:
    """Return a failed run that deleted the users from the lake, so that other runs cannot find their files there."""
    folder = RunFolder(LAKE, request_batch_id("failed", world.name("failed")))
    write_manifest(world.s3, folder, Manifest(folder.batch_id, [], forget=list(users)))
    days = {source.source_id: {"2024-06-25"} for source in removed}
    RemovalRecords(world.s3, LAKE).write(f"{folder.batch_id}-1", "listens", days, None)
    return folder


def test_files_of_a_failed_run_are_cleared_by_the_next_run_for_the_same_user(world):
    source, of_another_user = kept(world), kept(world)
    failed_run(world, source)
    failed_run(world, of_another_user, users=(70,))
    assert erase(world, forget_run(world)) == 0
    assert content(world, source) == WITHOUT_USER
    assert content(world, of_another_user) == FILE


def test_an_archived_file_that_could_not_be_read_is_cleared_by_another_request(world, monkeypatch):
    source, other = kept(world), kept(world)
    folder = failed_run(world, source, other)
    forgotten = [source.source_id, other.source_id]
    write_summary(world.s3, folder, Summary(folder.batch_id, "", 0, "", [], "", forgotten=forgotten))
    with monkeypatch.context() as patch:
        unreadable(world, patch, source)
        with pytest.raises(Unreadable):
            erase(world, folder)
    put(world, world.entry(other).place.key, FILE)  # a second search would remove the lines
    assert erase(world, forget_run(world)) == 0
    assert [content(world, each) for each in (source, other)] == [WITHOUT_USER, FILE]


DAMAGED = {
    "no JSON": b"not json",
    "nothing in it": b"{}",
    "other types": b'{"batch_id": 1, "sources": 2, "forget": "x"}',
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_folder_that_is_not_of_a_run_does_not_stop_forgetting(world, damaged):
    for name in ("manifest.json", "removed/zzz-1/notes/listens.json", "erased.json"):
        world.s3.put_object(Bucket=LAKE, Key=f"runs/zzz/{name}", Body=damaged)
    source = kept(world)
    assert erase(world, forget_run(world, source)) == 0
    assert content(world, source) == WITHOUT_USER


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_run_with_a_damaged_manifest_counts_as_one_for_the_user(world, damaged, caplog):
    theirs, of_others = kept(world), kept(world, HEADER + OTHERS)
    failed = failed_run(world, theirs, of_others, users=(70,))
    world.s3.put_object(Bucket=LAKE, Key=failed.key("manifest.json"), Body=damaged)
    without_notes = RunFolder(LAKE, "0" * 32)
    world.s3.put_object(Bucket=LAKE, Key=without_notes.manifest_uri.split("/", 3)[3], Body=damaged)
    source = kept(world)
    assert erase(world, forget_run(world, source)) == 0
    assert [content(world, each) for each in (source, theirs)] == [WITHOUT_USER] * 2
    assert content(world, of_others) == HEADER + OTHERS
    [line] = [record.getMessage() for record in caplog.records if "damaged" in record.getMessage()]
    assert line.startswith(f"{failed.manifest_uri} is damaged: ")


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_note_only_stops_forgetting_the_same_user(world, damaged):
    source = kept(world)
    failed = failed_run(world, source)
    note = failed.key(f"removed/{failed.batch_id}-1/notes/listens.json")
    world.s3.put_object(Bucket=LAKE, Key=note, Body=damaged)
    assert erase(world, forget_run(world, users=(70,))) == 0
    with pytest.raises(DamagedObject, match=rf"s3://lake/{note} is damaged: .*rebuild --from-archive"):
        erase(world, forget_run(world))


def test_files_of_a_failed_run_with_damaged_progress_notes_are_searched_again(world):
    source = kept(world)
    failed = failed_run(world, source)
    world.s3.put_object(Bucket=LAKE, Key=failed.key("erased.json"), Body=b"[]")
    assert erase(world, forget_run(world)) == 0
    assert content(world, source) == WITHOUT_USER


def test_notes_of_a_run_whose_manifest_has_expired_do_not_stop_forgetting(world):
    expired = failed_run(world, kept(world))
    world.s3.delete_object(Bucket=LAKE, Key=expired.key("manifest.json"))
    source = kept(world)
    assert erase(world, forget_run(world, source)) == 0
    assert content(world, source) == WITHOUT_USER


# ── End to end ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_rejected", [False, True], ids=["done", "rejected by the lake"])
def test_no_log_alert_event_or_payload_names_the_user(world, caplog, monkeypatch, is_rejected):
    user = 4_711_471_147
    row = f"{user},4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n".encode()
    good, bad = kept(world, HEADER + row + OTHERS), kept(world, HEADER + b"\xff" + row, Status.QUARANTINED)
    track, by = "4dBa8T7oDV9WvGr7kVS4Ez", (good.source_id, "first-1")
    tables = Tables()
    tables.append(LISTENS, [Listen(user, track, "2024-06-25", 1, (), "unknown", *by, 1)], by[1], "listens")
    tables.append(REJECTED_ROWS, [Rejected(row.decode(), "bad_listen_time", *by)], by[1], "rejected")
    request = Forget(user, "2026-11-22T04:15:00.123Z")
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="music_streams")

    def conflict(*_: Any) -> None:
        raise RuntimeError(f"conflicting files that can contain records matching user_id in ({user})")

    if is_rejected:
        monkeypatch.setattr(tables, "delete", conflict)
    with pytest.raises(BadEvent) as rejected:
        world.intake().start_invocation(ample_time).process(requests.to_message(request).replace("request", "Request"))
    Validate(world, requests.to_message(request)).deliver()
    execution = f"{request.batch_id}-1"
    folder, arn = RunFolder(LAKE, request.batch_id), world.execution_arn(execution)
    claim = claim_sources(world.s3, world.ledger, folder.manifest_uri, arn, always)
    payloads = [execution, world.execution_input(execution), claim]
    task = job.RunSettings(folder, execution, "jr_1", LANDING, Decimal("0.2"), 1, publish_track_metrics=True)
    try:
        lake = MemoryLake(tables, world.s3)
        with masked_user_ids([user]):
            job.process(world.s3, task, read_claimed(world.s3, folder, execution), ReferenceResult(), None, lake)
    except ForgetFailed as error:
        cause = json.dumps({"ErrorMessage": f"{type(error).__name__}: {error}"})
        detail = {"executionArn": arn, "name": execution, "status": "FAILED", "error": "States.TaskFailed"}
        world.failure_path.record(detail | {"cause": cause, "input": world.execution_input(execution)}, always)
    else:
        world.settlement.settle(folder.manifest_uri, arn, "jr_1", always)
        payloads.append(archive_sources(world.s3, world.ledger, folder.manifest_uri, arn, always))
        assert erase(world, folder) == 0
    alerts, payloads_text = world.sent_alerts(), str([*payloads, *world.sent_events()])
    assert bool(alerts) == is_rejected
    assert is_rejected or (content(world, good), content(world, bad)) == (WITHOUT_USER, HEADER)
    logged = [str(vars(record)) + logging.Formatter().format(record) for record in caplog.records]
    assert logged
    logged += traceback.format_exception(rejected.value)  # as the function's batch processor logs it
    for text in [*logged, str(alerts), payloads_text]:
        assert str(user) not in text
        assert "4dBa8T7oDV9WvGr7kVS4Ez" not in text
