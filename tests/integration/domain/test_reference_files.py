"""Which versions of the reference files a run reads, and the outcomes of those of its batch."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.s3.models import s3_backends

from music_streams import policy
from music_streams.errors import DamagedObject
from music_streams.reference import csv_rows, parsed
from music_streams.reference.in_force import VersionsInForce
from music_streams.reference.of_run import ReferenceOfRun, ReferenceResult
from music_streams.reference.parsed import ParsedFiles
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, SourceOutcome
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from tests.integration.domain.world import ACCOUNT, LAKE, World

HEADER = "track_id,track_name,artists,duration_ms,track_genre\n"
VALIDATED = {"validated_at": "2026-11-21T21:03:30.000Z"}
PUBLISHED = VALIDATED | {"first_published_at": "2026-11-21T21:05:30.000Z"}


def songs(name: str, good: int = 1, bad: int = 0) -> bytes:
    """Return a songs file whose rows have the track_name `name`; durations of the bad ones are no digits."""
    rows = [f"{number:022},{name},a,1000,pop" for number in range(good)] + [f"{'x' * 22},{name},a,1.0,pop"] * bad
    return (HEADER + "\n".join(rows)).encode()


class References:
    """The reference files of a bucket of their own, and runs that read them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bucket = world.name("landing-of-references")
        world.s3.create_bucket(Bucket=self.bucket)
        world.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.merged: list[VersionsInForce] = []

    def put(
        self, content: bytes, status: Status | None = Status.ARCHIVED, name: str = "songs/a.csv", **attributes: object
    ) -> Source:
        """Put a version, with a ledger entry unless the status is None."""
        key = f"reference/{name}"
        version = self.world.s3.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]
        source = Source(self.bucket, key, version, len(content), "2026-11-21T21:03:25.123Z")
        if status:
            self.world.put_entry(source, status, **((PUBLISHED if status is Status.ARCHIVED else {}) | attributes))
        return source

    def reader(self, batch: str = "") -> ReferenceOfRun:
        folder = RunFolder(LAKE, batch or self.world.name("batch"))
        execution = f"{folder.batch_id}-1"
        return ReferenceOfRun(
            self.world.s3, self.bucket, self.world.ledger.entries, Decimal("0.20"), folder, execution, "jr_1"
        )

    def run(self, *sources: Source, batch: str = "", treatment: str = "") -> ReferenceResult:
        """Run a batch of reference files; of a streams file, if there are none."""
        listed = [ManifestSource(each.source_id, each.kind, "", [], "", 1, treatment) for each in sources]
        manifest = Manifest("b", listed or [ManifestSource("0" * 32, "streams", "a.csv", [], "", 1)])
        return self.reader(batch).read(manifest, lambda in_force, _: self.merged.append(in_force))

    def outcome(self, source: Source, treatment: str = "") -> SourceOutcome:
        return self.run(source, treatment=treatment).outcomes[source.source_id]

    def in_force(self) -> list[str]:
        """Return the track_names of the rows that a run reads now, by key."""
        files = self.reader().files.in_force().songs
        bodies = (self.world.s3.get_object(Bucket=LAKE, Key=file.key)["Body"].read() for file in files)
        return [name for body in bodies for name in sorted(set(_rows(body)["track_name"].to_pylist()))]


def _rows(body: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(body))


@pytest.fixture
def references(world) -> References:
    return References(world)


@pytest.mark.parametrize(
    ("status", "attributes", "is_read"),
    [
        (None, {}, False),
        (Status.RECEIVED, {}, False),
        (Status.FAILED, {"reason": "unreadable"}, False),
        (Status.QUARANTINED, {"reason": "not_csv"}, False),
        (Status.QUARANTINED, {"reason": "too_many_bad_rows"} | VALIDATED, False),
        (Status.ARCHIVED, {"treatment": "retract"} | PUBLISHED, False),
        (Status.RETRACTED, {"treatment": "retract"} | PUBLISHED, False),
        (Status.RUNNING, {"treatment": "put_aside"} | VALIDATED, False),
        (Status.VALID, VALIDATED, True),
        (Status.RUNNING, VALIDATED, True),
        (Status.FAILED, {"reason": "no_reference_data"} | VALIDATED, True),
        (Status.ARCHIVED, PUBLISHED, True),
    ],
)
def test_only_a_version_that_was_accepted_is_in_force(references, status, attributes, is_read):
    references.put(songs("old"))
    references.put(songs("new"), status, **attributes)
    assert references.in_force() == (["new"] if is_read else ["old"])


def test_of_each_key_the_newest_accepted_version_is_in_force(references):
    for name in ("a.csv", "sub/b.CSV"):
        references.put(songs(f"old {name}"), name=f"songs/{name}")
        references.put(songs(f"new {name}"), name=f"songs/{name}")
        references.put(b"nobody can read this", Status.FAILED, name=f"songs/{name}", reason="unreadable")
        references.put(songs("just landed"), None, name=f"songs/{name}")
    assert references.in_force() == ["new a.csv", "new sub/b.CSV"]


def test_no_version_of_a_deleted_key_is_in_force(references):
    first = references.put(songs("deleted"))
    references.world.s3.delete_object(Bucket=references.bucket, Key=first.key)
    assert references.in_force() == []
    again = references.put(songs("put again"))
    assert references.in_force() == ["put again"]
    references.world.s3.delete_object(**again.s3_arguments)
    assert references.in_force() == []  # the delete marker is the newest again


def test_of_a_version_that_was_deleted_by_its_id_the_version_before_is_in_force(references):
    references.put(songs("before"))
    deleted = references.put(songs("deleted"))
    assert references.in_force() == ["deleted"]
    references.world.s3.delete_object(**deleted.s3_arguments)
    assert references.in_force() == ["before"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (VALIDATED, ["old"]),
        (VALIDATED | {"treatment": "accept_bad_rows"}, ["new"]),
        (PUBLISHED, ["new"]),  # it was published when the limit was another, or before rows were counted
    ],
)
def test_a_version_with_too_many_bad_rows_is_in_force_only_after_its_release(references, attributes, expected):
    references.put(songs("old"))
    references.put(songs("new", good=3, bad=1), Status.RUNNING, **attributes)
    assert references.in_force() == expected


@pytest.mark.parametrize(
    ("good", "bad", "treatment", "expected"),
    [
        (4, 1, "", SourceOutcome(5, 4, {"bad_duration": 1}, [])),
        (3, 1, "", SourceOutcome(4, 0, {"bad_duration": 1}, [], "too_many_bad_rows")),
        (3, 1, "accept_bad_rows", SourceOutcome(4, 3, {"bad_duration": 1}, [])),
        (0, 0, "", SourceOutcome(0, 0, {}, [])),
    ],
)
def test_the_rows_of_a_reference_file_are_counted(references, good, bad, treatment, expected):
    source = references.put(songs("n", good, bad), Status.RUNNING, **VALIDATED)
    assert references.outcome(source, treatment) == expected


def test_missing_countries_do_not_count_toward_the_limit(references):
    content = b"user_id,user_country\n1,Chile\n2,\n3,\nx,Peru"
    source = references.put(content, Status.RUNNING, name="users/u.csv", **VALIDATED)
    rejected = {"missing_country": 2, "bad_user_id": 1}
    assert references.outcome(source) == SourceOutcome(4, 0, rejected, [], "too_many_bad_rows")
    source = references.put(content + b"\n4,Mali\n5,", Status.RUNNING, name="users/u.csv", **VALIDATED)
    rejected = {"missing_country": 3, "bad_user_id": 1}
    assert references.outcome(source) == SourceOutcome(6, 2, rejected, [])


def test_a_file_that_cannot_be_read_fails_alone(references, monkeypatch):
    gone, good, odd = (
        references.put(songs(name), Status.RUNNING, name=f"songs/{name}.csv", **VALIDATED)
        for name in ("gone", "good", "odd")
    )
    references.world.s3.delete_object(**gone.s3_arguments)
    read = csv_rows.read_rows

    def fail(chunks: Any, columns: Any) -> Any:
        content = b"".join(chunks)
        if b"odd" in content:
            raise pa.ArrowInvalid("cannot be parsed")
        return read([content], columns)

    monkeypatch.setattr(parsed, "read_rows", fail)
    outcomes = references.run(gone, good, odd).outcomes
    assert [outcomes[source.source_id] for source in (gone, good, odd)] == [
        SourceOutcome(0, 0, {}, [], failure="object_gone"),
        SourceOutcome(1, 1, {}, []),
        SourceOutcome(0, 0, {}, [], "not_csv"),
    ]
    assert references.in_force() == ["good"]


def archive(source: Source) -> None:
    """Move a version to an archive storage class, as a lifecycle rule does."""
    s3_backends[ACCOUNT]["aws"].get_object(source.bucket, source.key, source.version_id)._storage_class = "GLACIER"


def test_a_published_version_that_cannot_be_read_any_more_is_left_out_and_named(references):
    references.put(songs("old"))
    archived = references.put(songs("new"))
    other = references.put(songs("other"), name="songs/b.csv")
    archive(archived)
    pinned = references.run().pinned
    assert pinned is not None
    assert list(pinned.left_out) == [archived.source_id]
    assert "archive storage class" in pinned.left_out[archived.source_id]
    assert references.in_force() == ["old", "other"]
    references.world.s3.delete_object(**other.s3_arguments)
    assert references.in_force() == ["old"]


def test_a_version_that_was_parsed_is_read_no_more(references):
    source = references.put(songs("parsed"))
    assert references.in_force() == ["parsed"]
    archive(source)
    assert references.in_force() == ["parsed"]


def test_a_parsed_version_is_parsed_again_before_it_expires(references):
    source = references.put(songs("n"))
    first = ParsedFiles(references.world.s3, LAKE).read(source)
    stored = s3_backends[ACCOUNT]["aws"].get_object(LAKE, first.key)
    age = timedelta(days=policy.PARSED_REFERENCE_FRESH_DAYS, minutes=1)
    stored.last_modified = (datetime.now(UTC) - age).replace(tzinfo=None)
    assert ParsedFiles(references.world.s3, LAKE).read(source) == first
    assert s3_backends[ACCOUNT]["aws"].get_object(LAKE, first.key) is not stored


@pytest.mark.parametrize(
    "counts",
    [
        *("", "{}", '{"rows_read": "1", "rejected": {}}'),
        *('{"rows_read": 1, "rejected": {"x": -1}}', '{"rows_read": 1, "rejected": {"x": 5}}'),
    ],
)
def test_a_parsed_version_with_damaged_counts_is_parsed_again(references, counts):
    source = references.put(songs("n"))
    files = ParsedFiles(references.world.s3, LAKE)
    key = files.read(source).key
    references.world.s3.put_object(Bucket=LAKE, Key=key, Body=b"", Metadata={"counts": counts} if counts else {})
    assert files.read(source).rows_read == 1
    assert references.in_force() == ["n"]


def test_all_tries_of_an_execution_read_what_the_first_one_pinned(references):
    references.put(songs("first"))
    first = references.run(batch="tries").pinned
    references.put(songs("second"))
    assert references.run(batch="tries").pinned == first
    assert references.run(batch="later").pinned != first


def test_of_two_tries_at_a_time_the_loser_reads_the_pin_of_the_winner(references):
    references.put(songs("first"))
    winners = []

    def merge(*_: object) -> None:
        """While one try merges, a newer version arrives, and another try pins it."""
        references.put(songs("second"))
        winners.append(references.run(batch="race").pinned)

    manifest = Manifest("b", [ManifestSource("0" * 32, "streams", "a.csv", [], "", 1)])
    loser = references.reader("race").read(manifest, merge).pinned
    assert winners == [loser]


def test_versions_are_merged_once(references):
    references.put(songs("a"))
    assert references.run().pinned.place == references.run().pinned.place
    assert len(references.merged) == 1


@pytest.mark.parametrize(
    "changes",
    [{"made_at": 5}, {"made_at": "zzz"}, {"made_at": "2999-01-01T00:00:00.000Z"}, {"place": 5}, {"place": "runs/x"}],
    ids=str,
)
def test_a_damaged_pointer_to_merged_data_is_replaced(references, changes):
    references.put(songs("a"))
    place = references.run().pinned.place
    pointer = f"{place.rpartition('/')[0]}.json"
    s3 = references.world.s3
    sound = json.loads(s3.get_object(Bucket=LAKE, Key=pointer)["Body"].read())
    s3.put_object(Bucket=LAKE, Key=pointer, Body=json.dumps(sound | changes))
    assert references.run().pinned.place == place
    assert len(references.merged) == 2
    references.run()
    assert len(references.merged) == 2


@pytest.mark.parametrize("changes", [{"place": 5}, {"place": "../x"}, {"version": "x"}, {"left_out": 5}], ids=str)
def test_a_damaged_pin_is_named_and_not_used(references, changes):
    references.put(songs("a"))
    batch = references.world.name("damaged")
    references.run(batch=batch)
    key = RunFolder(LAKE, batch).key(f"reference-{batch}-1.json")
    s3 = references.world.s3
    sound = json.loads(s3.get_object(Bucket=LAKE, Key=key)["Body"].read())
    s3.put_object(Bucket=LAKE, Key=key, Body=json.dumps(sound | changes))
    with pytest.raises(DamagedObject, match=key):
        references.run(batch=batch)


def test_a_folder_marker_is_no_songs_file(references):
    references.put(b"", None, name="songs/folder/")
    assert references.run().pinned.found_songs == []


def test_the_songs_that_were_found_are_described(references):
    good = references.put(songs("n", good=4, bad=1), name="songs/a.csv")
    refused = references.put(songs("n", bad=1, good=0), Status.RUNNING, name="songs/b.csv", **VALIDATED)
    counts = {"rows_read": 5, "rejected": {"bad_duration": 5}, "reason": "too_many_bad_rows"}
    quarantined = references.put(songs("n", bad=5, good=0), Status.QUARANTINED, name="songs/bb.csv", **counts)
    landed = references.put(songs("n"), None, name="songs/c.csv")
    references.put(b"user_id,user_country\n", None, name="users/u.csv")
    pinned = references.run().pinned
    assert pinned is not None
    assert (pinned.usable_songs, pinned.found_songs) == (
        4,
        [
            f"{good.uri}: 4 of 5 rows are usable, the others: 1 bad_duration",
            f"{refused.uri}: too_many_bad_rows (0 of 1 rows are usable, the others: 1 bad_duration)",
            f"{quarantined.uri}: QUARANTINED too_many_bad_rows (0 of 5 rows are usable, the others: 5 bad_duration)",
            f"{landed.uri}: not validated yet",
        ],
    )


# ── Mistakes of real files ──

PUBLIC = (
    "id,track_id,artists,album_name,track_name,popularity,duration_ms,explicit,danceability,energy,key,loudness,mode,"
    "speechiness,acousticness,instrumentalness,liveness,valence,tempo,time_signature,track_genre"
)


def public_row(number: int, *, name: str = "Song", duration: str = "200000", genre: str = "folk") -> str:
    """Return a row in the columns of the public songs file."""
    return (
        f"{number},{number:022},Ada,Low Tide,{name},41,{duration},False,0.5,0.6,5,-7.1,1,0,0,0,0.1,0.4,118.2,4,{genre}"
    )


def users(*rows: str) -> str:
    return "\n".join(["user_id,user_name,user_age,user_country,created_at", *rows])


@pytest.mark.parametrize(
    ("name", "content", "values", "rejected"),
    [
        pytest.param(
            "songs/s.csv",
            f"{PUBLIC}\n{public_row(1)}\n{',' * 20_481}\n" + "\n".join(map(public_row, range(2, 7))),
            ["folk"] * 6,
            {"malformed_row": 1},
            id="a record of 20,482 fields",
        ),
        pytest.param(
            "songs/s.csv",
            f"{PUBLIC}\n" + "\r".join(map(public_row, range(1_100))),
            ["folk"] * 1_100,
            {},
            id="LF after the header and CR after the rows",
        ),
        pytest.param(
            "songs/s.csv",
            f"{PUBLIC}\n{public_row(1)}\r\n{public_row(2, genre='jazz')}\r\n",
            ["folk", "jazz"],
            {},
            id="LF after the header and CRLF after the rows of songs",
        ),
        pytest.param(
            "users/u.csv",
            users("1,Vale,34,Norway,2024-01-05", "2,Kim,31,Chile,2024-01-05").replace("\n1", "\r\n1"),
            ["Chile", "Norway"],
            {},
            id="CRLF after the header and LF after the rows of users",
        ),
        pytest.param(
            "users/u.csv",
            users(
                "501,Vale, Kim,34,Norway,2024-01-05", *(f"{n},Kim Vale,31,Chile,2024-01-05" for n in range(502, 507))
            ),
            ["Chile"] * 5,
            {"malformed_row": 1},
            id="a bare comma in a user's name",
        ),
        pytest.param(
            "songs/s.csv",
            "\n".join([PUBLIC, public_row(1, name="Hurry, Slowly"), *map(public_row, range(2, 7))]),
            ["folk"] * 5,
            {"malformed_row": 1},
            id="a bare comma in a song's name",
        ),
    ],
)
def test_a_mistake_affects_only_its_row(references, name, content, values, rejected):
    source = references.put(content.encode(), Status.RUNNING, name=name, **VALIDATED)
    accepted = len(values)
    assert references.outcome(source) == SourceOutcome(accepted + sum(rejected.values()), accepted, rejected, [])
    key = ParsedFiles(references.world.s3, LAKE).read(source).key
    rows = _rows(references.world.s3.get_object(Bucket=LAKE, Key=key)["Body"].read())
    assert sorted(rows[rows.column_names[-1]].to_pylist()) == values


@pytest.mark.parametrize(
    ("name", "content", "rejected"),
    [
        pytest.param(
            "songs/s.csv",
            "\n".join([PUBLIC, *(public_row(n, duration="200001.0") for n in range(5))]),
            {"bad_duration": 5},
            id="durations as floats",
        ),
        pytest.param(
            "songs/s.csv",
            "\n".join([PUBLIC, *(public_row(n, duration='"210,000"') for n in range(3))]),
            {"bad_duration": 3},
            id="durations with thousands separators",
        ),
        pytest.param(
            "users/u.csv",
            users(*(f"{n}.0,Kim,31,Chile,2024-01-05" for n in range(901, 905))),
            {"bad_user_id": 4},
            id="user ids as floats",
        ),
        pytest.param(
            "users/u.csv",
            users("501,Vale, Kim,34,Norway,2024-01-05", "502,Kim Vale,31,Chile,2024-01-05"),
            {"malformed_row": 1},
            id="a bare comma in one of two rows",
        ),
    ],
)
def test_a_file_of_mistakes_is_quarantined_and_its_rows_are_counted(references, name, content, rejected):
    source = references.put(content.encode(), Status.RUNNING, name=name, **VALIDATED)
    rows_read = content.count("\n")
    assert references.outcome(source) == SourceOutcome(rows_read, 0, rejected, [], "too_many_bad_rows")
    released = references.outcome(source, "accept_bad_rows")
    assert released == SourceOutcome(rows_read, rows_read - sum(rejected.values()), rejected, [])
