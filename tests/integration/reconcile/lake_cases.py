"""Reading the lake without Spark, from tables that Spark wrote; run by test_lake.py, in this order."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from music_streams.aws.clients import split_uri
from music_streams.errors import LakeChanged
from music_streams.load.items import Provenance, item
from music_streams.reconcile.drift import differences
from music_streams.reconcile.lake import UNKNOWN_TRACK, LakeReader, Listens, RejectedRows, _in_days
from music_streams.reconcile.recount import recount
from music_streams.stack import Stack
from music_streams.transform.ports import DATABASE, LISTENS, REJECTED_ROWS, RowsToDelete
from tests.integration.reconcile.contract import SCHEMA, Row, listen
from tests.integration.transform import computed
from tests.integration.transform.iceberg_cases import LISTENS_COLUMNS, REJECTED_COLUMNS, Tables, aws, lake, spark

__all__ = ["aws", "lake", "spark"]

EVE, DAY, NEXT_DAY, LATER = "2024-06-24", "2024-06-25", "2024-06-26", "2024-07-01"


@pytest.fixture(scope="session")
def reader(aws) -> LakeReader:
    key = aws.credentials
    session = boto3.Session(key.access_key_id, key.secret_access_key, region_name=aws.region)
    return LakeReader.of(Stack({}, session, "test", aws.endpoint))


def append(lake: Tables, execution: str, rows: list[Row]) -> None:
    values = [tuple({**row, "execution": execution}[name] for name in SCHEMA.names) for row in rows]
    in_one_file_a_day = lake.spark.createDataFrame(values, LISTENS_COLUMNS).coalesce(1)
    lake.append(LISTENS, in_one_file_a_day, execution)


def files_of(listens: Listens, *days: str) -> list[str]:
    """Return the data files that are read for days."""
    return sorted(listens._plan(_in_days("listened_at", days)))


def read(listens: Listens, *days: str) -> list[Row]:
    return [row for batch in listens.rows(days) for row in batch.to_pylist()]


def users(listens: Listens, *days: str) -> list[int]:
    return sorted(row["user_id"] for row in read(listens, *days))


def test_a_lake_without_a_table_is_none(reader):
    assert (reader.listens(), reader.rejected_rows()) == (None, None)


def test_a_table_without_commits_has_no_snapshot_and_no_rows(lake, reader):
    lake.state(LISTENS)
    listens = reader.listens()
    assert (listens.snapshot, files_of(listens, DAY), read(listens, DAY)) == (None, [], [])


def test_a_table_whose_metadata_file_is_gone_is_no_lake(reader):
    table = reader.glue.get_table(DatabaseName=DATABASE, Name=LISTENS)["Table"]
    location: Any = dict(zip(("Bucket", "Key"), split_uri(table["Parameters"]["metadata_location"]), strict=True))
    s3 = boto3.client("s3", endpoint_url=reader.glue.meta.endpoint_url)
    content = s3.get_object(**location)["Body"].read()
    s3.delete_object(**location)
    assert reader.listens() is None
    s3.put_object(**location, Body=content)
    assert reader.listens() is not None


def test_the_rows_of_days_are_read_as_spark_wrote_them(lake, reader):
    midnight = datetime.fromisoformat(DAY).replace(tzinfo=UTC)
    rows = [
        listen((midnight - timedelta(microseconds=1)).isoformat(), 1),
        listen(midnight.isoformat(), 2, genres=["pop", "\U0001d11e"], track_name="", artists="é～"),
        listen((midnight + timedelta(days=1, microseconds=-1)).isoformat(), 2**63 - 1, duration_ms=2**31 - 1),
        listen((midnight + timedelta(days=1)).isoformat(), 4),
        listen(f"{LATER} 00:00:00", 5),
    ]
    append(lake, "read-1", rows)
    listens = reader.listens()
    assert listens.snapshot == lake.pin()
    found = sorted(read(listens, DAY), key=lambda row: row["user_id"])
    assert found == [{name: value for name, value in row.items() if name != "execution"} for row in rows[1:3]]
    assert users(listens, EVE, NEXT_DAY, LATER) == [1, 4, 5]
    assert users(listens) == []


def test_only_the_files_of_the_days_are_read(lake, reader):
    append(lake, "pruned-1", [listen(f"{DAY} 12:00:00", 6), listen(f"{NEXT_DAY} 12:00:00", 7)])
    listens = reader.listens()
    every = [day for day in (EVE, DAY, NEXT_DAY, LATER) for _ in files_of(listens, day)]
    assert every == [EVE, DAY, DAY, NEXT_DAY, NEXT_DAY, LATER]
    for days in ([DAY], [EVE, LATER], [DAY, NEXT_DAY]):
        files = files_of(listens, *days)
        assert {file.rpartition("listened_at_day=")[2].partition("/")[0] for file in files} == set(days)


def test_rows_of_other_days_in_the_same_file_are_left_out(lake, reader):
    name = lake._name(LISTENS)
    lake.spark.sql(f"ALTER TABLE {name} REPLACE PARTITION FIELD listened_at_day WITH months(listened_at)")
    append(lake, "month-1", [listen("2023-05-01 23:59:59", 61), listen("2023-05-02 00:00:00", 62)])
    lake.spark.sql(f"ALTER TABLE {name} REPLACE PARTITION FIELD listened_at_month WITH days(listened_at)")
    listens = reader.listens()
    assert files_of(listens, "2023-05-01") == files_of(listens, "2023-05-02")
    assert (users(listens, "2023-05-01"), users(listens, "2023-05-02")) == ([61], [62])


def test_later_commits_do_not_change_a_snapshot(lake, reader):
    append(lake, "pinned-1", [listen("2023-01-01 10:00:00", user) for user in (71, 72)])
    before = reader.listens()
    lake.remove(RowsToDelete("f-1", [], [], [71]))
    append(lake, "pinned-2", [listen("2023-01-01 11:00:00", 73)])
    after = reader.listens()
    assert users(before, "2023-01-01") == [71, 72]
    assert users(after, "2023-01-01") == [72, 73]
    assert (after.snapshot.uuid, after.snapshot.version) == (before.snapshot.uuid, before.snapshot.version + 2)
    assert after.snapshot == lake.pin()


def test_an_expired_snapshot_is_an_error(lake, reader):
    append(lake, "cleaned-1", [listen("2023-02-01 10:00:00", user) for user in (81, 82)])
    before = reader.listens()
    lake.remove(RowsToDelete("f-1", [], [], [81]))
    lake.expire()
    with pytest.raises(LakeChanged, match="expired while it was read"):
        read(before, "2023-02-01")
    assert users(reader.listens(), "2023-02-01") == [82]


def test_a_snapshot_that_expires_while_it_is_read_is_an_error(lake, reader):
    append(lake, "vanished-1", [listen("2023-02-02 10:00:00", 83)])
    listens = reader.listens()
    (bucket, key), *_ = map(split_uri, files_of(listens, "2023-02-02"))
    content = lake.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    lake.s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(LakeChanged, match="expired while it was read"):
        read(listens, "2023-02-02")
    lake.s3.put_object(Bucket=bucket, Key=key, Body=content)
    assert users(listens, "2023-02-02") == [83]


def test_the_recount_of_many_listens_equals_what_spark_computes(lake, reader):
    rows = many_listens()
    days = sorted({row["listened_at"].date().isoformat() for row in rows})
    append(lake, "many-1", rows)
    append(lake, "many-2", rows[::7])
    listens = reader.listens()
    counted = recount(listens.rows(days), track_metrics=True)
    frame = computed.items(lake.listens_at(listens.snapshot.snapshot_id, days), track_metrics=True)
    provenance = Provenance(listens.snapshot.version, listens.snapshot.uuid, "b", "")
    items = [item(row.asDict(recursive=True), provenance) for row in frame.collect()]
    assert len(items) > 500
    assert [str(difference) for difference in differences(counted.items, items)] == []
    assert counted.sources == {
        day: {row["source_id"] for row in rows if row["listened_at"].date().isoformat() == day} for day in days
    }


def many_listens() -> list[Row]:
    """Return three days with copies of events by several sources and references, unusual names, and many ties."""
    chance = random.Random(4)
    words = ["pop", "Zeit", "é", "e\u0301", "～", "\U0001d11e", "\U0001d11f", "a b", "#", "ß", "ſ", "日本", "\u200b"]
    tracks = [f"{chance.choice('aZ9b')}{number}" for number in range(150)]
    attributes = {
        (version, source, track): {
            "duration_ms": chance.choice([1, 2, 3, 199_999, 2**31 - 1]),
            "track_name": chance.choice(["", *words]),
            "artists": chance.choice(["", *words]),
            "genres": sorted(set(chance.choices(words, k=3))),
        }
        for version in (1, 2)
        for source in "abc"
        for track in tracks
    }
    home = {(version, user): chance.choice(words) for version in (1, 2) for user in range(1, 60)}
    rows = []
    for _ in range(6000):
        version, source = chance.choice((1, 2)), chance.choice("abc")
        track, user = chance.choice(tracks), chance.randrange(1, 60)
        at = datetime(2022, 3, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(72), microseconds=chance.randrange(2))
        values: dict[str, Any] = {**attributes[version, source, track], "user_country": home[version, user]}
        rows.append(listen(at.isoformat(), user, track, **values, source_id=source * 32, reference_version=version))
    return rows


# ── Rejected rows ──


def reject(lake: Tables, execution: str, *rows: tuple[str | None, str, str], day: str) -> None:
    """Append rejected rows of files that arrived on a day: raw text, reason, source."""
    arrived = datetime.fromisoformat(f"{day}T23:59:59.999999+00:00")
    values = [(raw, reason, source, execution, arrived) for raw, reason, source in rows]
    lake.append(REJECTED_ROWS, lake.spark.createDataFrame(values, REJECTED_COLUMNS).coalesce(1), execution)


def parked_rows(rejected: RejectedRows, sources: list[str], *days: str) -> list[tuple[str, str | None]]:
    return sorted(
        (row["source_id"], row["raw"]) for batch in rejected.parked(sources, days) for row in batch.to_pylist()
    )


def test_a_table_of_rejected_rows_without_commits_has_none(lake, reader):
    lake.state(REJECTED_ROWS)
    rejected = reader.rejected_rows()
    assert (parked_rows(rejected, ["a"], DAY), rejected.parked_sources()) == ([], set())


def test_only_the_parked_rows_of_the_sources_are_read(lake, reader):
    parked = [("1,é,x", UNKNOWN_TRACK, "a"), ("2", UNKNOWN_TRACK, "a"), ("3", UNKNOWN_TRACK, "b")]
    reject(lake, "rejected-1", *parked, ("4", "bad_track_id", "a"), ("5", "duplicate", "c"), day=DAY)
    reject(lake, "rejected-2", ("6", UNKNOWN_TRACK, "d"), day=NEXT_DAY)
    rejected = reader.rejected_rows()
    assert rejected.parked_sources() == {"a", "b", "d"}
    assert parked_rows(rejected, ["a"], DAY) == [("a", "1,é,x"), ("a", "2")]
    assert parked_rows(rejected, ["a", "c", "d"], DAY, NEXT_DAY) == [("a", "1,é,x"), ("a", "2"), ("d", "6")]
    assert parked_rows(rejected, ["a", "d"], NEXT_DAY) == [("d", "6")]
    assert parked_rows(rejected, ["a"]) == []


def test_only_the_rejected_rows_of_the_days_are_read(reader):
    rejected = reader.rejected_rows()
    files = {day: rejected._plan(_in_days("received_at", [day])) for day in (EVE, DAY, NEXT_DAY)}
    assert [len(of_day) for of_day in files.values()] == [0, 1, 1]


def test_later_commits_do_not_change_the_rejected_rows_of_a_snapshot(lake, reader):
    before = reader.rejected_rows()
    reject(lake, "rejected-3", ("7", UNKNOWN_TRACK, "e"), day=LATER)
    assert "e" not in before.parked_sources()
    assert "e" in reader.rejected_rows().parked_sources()


def test_rejected_rows_whose_files_are_gone_are_an_error(lake, reader):
    reject(lake, "rejected-4", ("8", UNKNOWN_TRACK, "f"), day=EVE)
    rejected = reader.rejected_rows()
    lake.remove(RowsToDelete("f-2", [], ["f"], []))
    lake.expire()
    with pytest.raises(LakeChanged, match=r"music_streams\.rejected_rows are gone"):
        parked_rows(rejected, ["f"], EVE)


def test_a_table_with_delete_files_is_an_error(lake, reader):
    append(lake, "merged-1", [listen("2023-03-01 10:00:00", user) for user in (91, 92)])
    for mode in ("merge-on-read", "copy-on-write"):
        lake.spark.sql(f"ALTER TABLE {lake._name(LISTENS)} SET TBLPROPERTIES ('write.delete.mode'='{mode}')")
        if mode == "merge-on-read":
            lake.remove(RowsToDelete("f-1", [], [], [91]))
    with pytest.raises(LakeChanged, match="has delete files"):
        read(reader.listens(), "2023-03-01")
