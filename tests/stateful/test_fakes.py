"""The services in memory answer what the pipeline asks as moto does."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.aws import clients
from music_streams.aws.clients import error_code
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import SourceOutcome
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status
from tests.aws import aws_in_process, create_buckets, create_table, key_of
from tests.integration.load.memory_dynamodb import MemoryDynamoDB
from tests.stateful.cloud import FILES, LAKE, LANDING
from tests.stateful.memory_s3 import MemoryS3

NOW = datetime(2026, 11, 21, 21, tzinfo=UTC)
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:process:batch-1"


def test_buckets():
    memory = MemoryS3({LANDING}, lambda: NOW)
    with aws_in_process():
        s3 = clients.client("s3")
        create_buckets(s3, LANDING, LAKE)
        assert life_of_objects(memory) == life_of_objects(s3)


def life_of_objects(s3: Any) -> list[Any]:
    """What a client answers from the first version of an object to the last; versions are named in order."""
    names: dict[str, str] = {}
    told: list[Any] = []

    def read(**where: str) -> None:
        told.append(_answer(lambda: list(s3.get_object(**where)["Body"].iter_chunks(2))))
        told.append(_answer(lambda: _part(s3.head_object(**where, ChecksumMode="ENABLED"))))

    def listed() -> None:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=LANDING, Prefix="a"):
            found = [(each["Key"], names[each["VersionId"]], each["Size"]) for each in page.get("Versions", [])]
            told.append(sorted(found))
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=LANDING, Prefix="a"):
            told.extend((each["Key"], each["Size"], each["ETag"]) for each in page.get("Contents", []))

    first, second = (
        s3.put_object(Bucket=LANDING, Key="a/1", Body=content)["VersionId"] for content in (b"one", b"three")
    )
    names.update({first: "first", second: "second"})
    read(Bucket=LANDING, Key="a/1")
    read(Bucket=LANDING, Key="a/1", VersionId=first)
    told.append(s3.get_object(Bucket=LANDING, Key="a/1", Range="bytes=1-2")["Body"].read())
    s3.copy({"Bucket": LANDING, "Key": "a/1", "VersionId": first}, LAKE, "copy")
    read(Bucket=LAKE, Key="copy")
    for key in ("copy", "new", "new"):
        put = s3.put_object
        told.append(_answer(lambda: bool(put(Bucket=LAKE, Key=key, Body=b"x", IfNoneMatch="*"))))  # noqa: B023
    listed()
    s3.delete_object(Bucket=LANDING, Key="a/1", VersionId=second)
    read(Bucket=LANDING, Key="a/1")
    listed()
    s3.delete_object(Bucket=LANDING, Key="a/1")
    read(Bucket=LANDING, Key="a/1")
    read(Bucket=LANDING, Key="a/1", VersionId=first)
    listed()
    s3.delete_object(Bucket=LANDING, Key="a/1", VersionId=first)
    listed()
    s3.delete_object(Bucket=LAKE, Key="copy")
    read(Bucket=LAKE, Key="copy")
    told.append(_answer(lambda: s3.copy({"Bucket": LANDING, "Key": "a/2"}, LAKE, "copy")))
    return told


def test_the_ledgers_table(monkeypatch):
    memory = MemoryDynamoDB({FILES: key_of("FilesTable")})
    with aws_in_process():
        dynamodb = clients.dynamodb()
        create_table(dynamodb, "FilesTable", FILES)
        assert life_of_entries(memory, monkeypatch) == life_of_entries(dynamodb, monkeypatch)


def life_of_entries(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a ledger answers from the first claim of a source to its retraction."""
    ledger = Ledger(FILES, dynamodb)
    source, other = (Source(LANDING, f"incoming/{name}.csv", "v1", 3, clock.timestamp(NOW)) for name in "ab")
    told: list[Any] = []

    def entry() -> Entry:
        found = ledger.entry(source.source_id)
        assert found
        return found

    def at(second: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: f"2026-11-21T21:00:{second:02d}.000Z")
        told.append(ledger.entries([source.source_id, other.source_id]))
        told.append([list(ledger.with_status(status)) for status in Status])
        found = ledger.search(Attr("attempt").gte(1) & ~Attr("reason").eq("x"))
        told.append(sorted(found, key=lambda each: each.source.key))

    at(0)
    told.append([ledger.receive(source, 10), ledger.receive(other, 10), ledger.receive(source, 10)])
    at(20)
    claimed = ledger.receive(source, 10)
    assert claimed
    at(21)
    told.append([ledger.validate(entry(), "batch"), ledger.validate(claimed, "batch")])
    told.append([ledger.run(entry(), f"{EXECUTION}0"), ledger.run(entry(), EXECUTION)])
    at(22)
    told.append(ledger.publish(entry(), SourceOutcome(3, 1, {"duplicate": 2}, ["2024-06-25"])))
    told.append([ledger.archive(entry(), "kept"), ledger.archive(entry(), "kept")])
    told.append(list(ledger.with_status(Status.ARCHIVED, since="2026-11-21T21:00:22.000Z")))
    told.append(list(ledger.with_status(Status.ARCHIVED, since="2026-11-21T21:00:23.000Z")))
    at(23)
    told.append([ledger.renew(entry(), "batch", 2, Treatment.RETRACT) for _ in range(2)])
    told.append(ledger.retract(entry()))
    at(24)
    return told


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        # S3 answers a head without a body: the status is all it says.
        return {"NoSuchKey": "404", "NoSuchVersion": "404"}.get(error_code(error), error_code(error))


def _part(head: dict[str, Any]) -> dict[str, Any]:
    return {name: head[name] for name in ("ContentLength", "ETag")}
