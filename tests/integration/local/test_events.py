import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.clouds import Cloud, eventually


def events_of(cloud: Cloud, key: str, count: int) -> list[Any]:
    """The events of one object, once there are so many."""
    found: list[Any] = []

    def enough() -> bool:
        received = cloud.receive("WitnessUrl")
        found.extend(event for event in received if event["detail"]["object"]["key"] == key)
        return len(found) >= count

    eventually(enough)
    return found


def put(cloud: Cloud, key: str, body: bytes = b"content", **settings: str) -> Any:
    return cloud.client("s3").put_object(Bucket=cloud.outputs["Landing"], Key=key, Body=body, **settings)


def test_an_upload_gives_the_event_of_aws(cloud):
    answer = put(cloud, "shape/a b+ü.csv")
    (event,) = events_of(cloud, "shape/a b+ü.csv", 1)
    bucket = cloud.outputs["Landing"]
    assert event["version"] == "0"
    assert event["detail-type"] == "Object Created"
    assert event["source"] == "aws.s3"
    assert event["account"] == "123456789012"
    assert event["region"] == "us-east-1"
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event["id"])
    detail = event["detail"]
    sequencer = detail["object"].pop("sequencer")
    assert re.fullmatch(r"[0-9A-F]{16}", sequencer)
    assert detail["object"] == {
        "key": "shape/a b+ü.csv",
        "size": 7,
        "etag": answer["ETag"].strip('"'),
        "version-id": answer["VersionId"],
    }
    assert detail["bucket"] == {"name": bucket}
    assert detail["reason"] == "PutObject"
    assert {"version", "request-id", "requester", "source-ip-address"} < set(detail)


def test_versions_have_events_of_their_own_in_order(cloud):
    versions = [put(cloud, "shape/twice.csv")["VersionId"] for _ in range(2)]
    events = events_of(cloud, "shape/twice.csv", 2)
    objects = sorted((event["detail"]["object"] for event in events), key=lambda item: item["sequencer"])
    assert [item["version-id"] for item in objects] == versions
    assert len({event["id"] for event in events}) == 2


def test_tags_give_an_event_only_where_there_are_some(cloud):
    put(cloud, "shape/tagged.csv", Tagging="a=b")
    kinds = sorted(event["detail-type"] for event in events_of(cloud, "shape/tagged.csv", 2))
    assert kinds == ["Object Created", "Object Tags Added"]


def test_a_copy_says_so(cloud):
    put(cloud, "shape/original.csv")
    bucket = cloud.outputs["Landing"]
    cloud.client("s3").copy_object(Bucket=bucket, Key="shape/copy.csv", CopySource=f"{bucket}/shape/original.csv")
    (event,) = events_of(cloud, "shape/copy.csv", 1)
    assert event["detail"]["reason"] == "CopyObject"


def test_a_copy_heeds_its_precondition(cloud):
    etag = put(cloud, "shape/source.csv")["ETag"]
    bucket, s3 = cloud.outputs["Landing"], cloud.client("s3")
    source = f"{bucket}/shape/source.csv"
    s3.copy_object(Bucket=bucket, Key="copied", CopySource=source, CopySourceIfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="not copied", CopySource=source, CopySourceIfMatch='"another"')


def test_keys_may_hold_newlines(cloud):
    put(cloud, "shape/new\nline.csv", body=b"kept")
    (event,) = events_of(cloud, "shape/new\nline.csv", 1)
    key = event["detail"]["object"]["key"]
    assert cloud.client("s3").get_object(Bucket=cloud.outputs["Landing"], Key=key)["Body"].read() == b"kept"


def test_only_what_matches_a_rule_reaches_its_queue_and_from_there_the_function(cloud):
    put(cloud, "incoming/matching.csv")
    put(cloud, "elsewhere/not-matching.csv")
    (note,) = eventually(lambda: cloud.notes("done:incoming/matching.csv"))
    assert note["sk"]
    assert cloud.notes("done:elsewhere/not-matching.csv") == []
    batch = next(batch for batch in cloud.notes("batch") if "incoming/matching.csv" in batch["first"])
    record = json.loads(batch["first"])
    assert record["eventSource"] == "aws:sqs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


def test_events_of_ones_own_are_delivered_with_the_time_as_text(cloud):
    events, sqs = cloud.client("events"), cloud.client("sqs")
    url = sqs.create_queue(QueueName="own-events")["QueueUrl"]
    events.put_rule(Name="own", EventPattern='{"source": ["my.app"]}')
    arn = "arn:aws:sqs:us-east-1:123456789012:own-events"
    transformer = {"InputPathsMap": {"n": "$.detail.name"}, "InputTemplate": '{"name": <n>}'}
    events.put_targets(Rule="own", Targets=[{"Id": "1", "Arn": arn}])
    events.put_targets(Rule="own", Targets=[{"Id": "2", "Arn": arn, "InputTransformer": transformer}])
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "Happened", "Detail": '{"name": "it"}'}])
    bodies: list[Any] = []

    def both():
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        bodies.extend(json.loads(message["Body"]) for message in found)
        return len(bodies) == 2

    eventually(both)
    transformed, whole = sorted(bodies, key=len)
    assert transformed == {"name": "it"}
    assert whole["detail"] == {"name": "it"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", whole["time"])
    assert "ingestion-time" not in whole
