"""The services in memory respond to the pipeline's calls as moto does."""

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


def test_buckets_in_memory_respond_as_motos():
    memory = MemoryS3({LANDING}, lambda: NOW)
    with aws_in_process():
        s3 = clients.client("s3")
        create_buckets(s3, LANDING, LAKE)
        assert responses_about_objects(memory) == responses_about_objects(s3)


def responses_about_objects(s3: Any) -> list[Any]:
    """Create, read, copy and delete versions of objects; return all responses, with versions named in order."""
    names: dict[str, str] = {}
    responses: list[Any] = []

    def read(**where: str) -> None:
        responses.append(_answer(lambda: list(s3.get_object(**where)["Body"].iter_chunks(2))))
        responses.append(_answer(lambda: _part(s3.head_object(**where, ChecksumMode="ENABLED"))))

    def listed() -> None:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=LANDING, Prefix="a"):
            versions = [(v["Key"], names[v["VersionId"]], v["Size"]) for v in page.get("Versions", [])]
            responses.append(sorted(versions))
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=LANDING, Prefix="a"):
            responses.extend((item["Key"], item["Size"], item["ETag"]) for item in page.get("Contents", []))

    first, second = (
        s3.put_object(Bucket=LANDING, Key="a/1", Body=content)["VersionId"] for content in (b"one", b"three")
    )
    names.update({first: "first", second: "second"})
    read(Bucket=LANDING, Key="a/1")
    read(Bucket=LANDING, Key="a/1", VersionId=first)
    responses.append(s3.get_object(Bucket=LANDING, Key="a/1", Range="bytes=1-2")["Body"].read())
    s3.copy({"Bucket": LANDING, "Key": "a/1", "VersionId": first}, LAKE, "copy")
    read(Bucket=LAKE, Key="copy")
    for key in ("copy", "new", "new"):
        put = s3.put_object
        responses.append(_answer(lambda: bool(put(Bucket=LAKE, Key=key, Body=b"x", IfNoneMatch="*"))))  # noqa: B023
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
    responses.append(_answer(lambda: s3.copy({"Bucket": LANDING, "Key": "a/2"}, LAKE, "copy")))
    return responses


def test_the_ledgers_table_in_memory_responds_as_motos(monkeypatch):
    memory = MemoryDynamoDB({FILES: key_of("FilesTable")})
    with aws_in_process():
        dynamodb = clients.dynamodb()
        create_table(dynamodb, "FilesTable", FILES)
        assert results_of_a_ledger(memory, monkeypatch) == results_of_a_ledger(dynamodb, monkeypatch)


def results_of_a_ledger(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Take a source from its first claim to its retraction; return all results of the ledger."""
    ledger = Ledger(FILES, dynamodb)
    source, other = (Source(LANDING, f"incoming/{name}.csv", "v1", 3, clock.timestamp(NOW)) for name in "ab")
    results: list[Any] = []

    def entry() -> Entry:
        stored = ledger.entry(source.source_id)
        assert stored
        return stored

    def at(second: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: f"2026-11-21T21:00:{second:02d}.000Z")
        results.append(ledger.entries([source.source_id, other.source_id]))
        results.append([list(ledger.with_status(status)) for status in Status])
        entries = ledger.search(Attr("attempt").gte(1) & ~Attr("reason").eq("x"))
        results.append(sorted(entries, key=lambda entry: entry.source.key))

    at(0)
    results.append([ledger.claim(source, 10), ledger.claim(other, 10), ledger.claim(source, 10)])
    at(20)
    claimed = ledger.claim(source, 10)
    assert claimed
    at(21)
    results.append([ledger.mark_valid(entry(), "batch"), ledger.mark_valid(claimed, "batch")])
    results.append([ledger.mark_running(entry(), f"{EXECUTION}0"), ledger.mark_running(entry(), EXECUTION)])
    at(22)
    results.append(ledger.mark_published(entry(), SourceOutcome(3, 1, {"duplicate": 2}, ["2024-06-25"])))
    results.append([ledger.mark_archived(entry(), "kept"), ledger.mark_archived(entry(), "kept")])
    results.append(list(ledger.with_status(Status.ARCHIVED, since="2026-11-21T21:00:22.000Z")))
    results.append(list(ledger.with_status(Status.ARCHIVED, since="2026-11-21T21:00:23.000Z")))
    at(23)
    results.append([ledger.renew(entry(), "batch", 2, Treatment.RETRACT) for _ in range(2)])
    results.append(ledger.mark_retracted(entry()))
    at(24)
    return results


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        # The response to HEAD has no body: its code is the HTTP status.
        return {"NoSuchKey": "404", "NoSuchVersion": "404"}.get(error_code(error), error_code(error))


def _part(head: dict[str, Any]) -> dict[str, Any]:
    return {name: head[name] for name in ("ContentLength", "ETag")}
