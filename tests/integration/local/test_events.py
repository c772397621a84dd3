import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.clouds import Cloud, eventually

pytestmark = pytest.mark.slow


def events_of(cloud: Cloud, key: str, count: int) -> list[Any]:
    """Wait for `count` events of an object and return them."""
    return cloud.messages("WitnessUrl", count, lambda event: event["detail"]["object"]["key"] == key)


def test_an_upload_sends_the_event_of_aws(cloud):
    answer = cloud.put("shape/a b+ü.csv")
    (event,) = events_of(cloud, "shape/a b+ü.csv", 1)
    bucket = cloud.outputs["Landing"]
    expected = {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
    }
    assert {name: event[name] for name in expected} == expected
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


def test_each_version_sends_an_event_in_order(cloud):
    versions = [cloud.put("shape/twice.csv")["VersionId"] for _ in range(2)]
    events = events_of(cloud, "shape/twice.csv", 2)
    objects = sorted((event["detail"]["object"] for event in events), key=lambda item: item["sequencer"])
    assert [item["version-id"] for item in objects] == versions
    assert len({event["id"] for event in events}) == 2


def test_only_an_object_with_tags_sends_a_tag_event(cloud):
    cloud.put("shape/tagged.csv", Tagging="a=b")
    kinds = sorted(event["detail-type"] for event in events_of(cloud, "shape/tagged.csv", 2))
    assert kinds == ["Object Created", "Object Tags Added"]


def test_a_copy_is_named_in_its_event_and_checks_its_precondition(cloud):
    etag = cloud.put("shape/original.csv")["ETag"]
    s3, bucket = cloud.client("s3"), cloud.outputs["Landing"]
    copy = {"Bucket": bucket, "Key": "shape/copy.csv", "CopySource": f"{bucket}/shape/original.csv"}
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    (event,) = events_of(cloud, "shape/copy.csv", 1)
    assert event["detail"]["reason"] == "CopyObject"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(**copy, CopySourceIfMatch='"another"')


def test_keys_may_hold_newlines(cloud):
    cloud.put("shape/new\nline.csv", body=b"kept")
    (event,) = events_of(cloud, "shape/new\nline.csv", 1)
    key = event["detail"]["object"]["key"]
    assert cloud.client("s3").get_object(Bucket=cloud.outputs["Landing"], Key=key)["Body"].read() == b"kept"


def test_only_matching_events_reach_the_queue_and_its_function(cloud):
    cloud.put("incoming/matching.csv")
    cloud.put("elsewhere/not-matching.csv")
    (note,) = eventually(lambda: cloud.notes("done:incoming/matching.csv"))
    assert note["sk"]
    assert cloud.notes("done:elsewhere/not-matching.csv") == []
    batch = next(batch for batch in cloud.notes("batch") if "incoming/matching.csv" in batch["first"])
    record = json.loads(batch["first"])
    assert record["eventSource"] == "aws:sqs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


def test_custom_events_are_delivered_with_the_time_as_text(cloud):
    events = cloud.client("events")
    cloud.outputs["Own"] = cloud.client("sqs").create_queue(QueueName="own-events")["QueueUrl"]
    events.put_rule(Name="own", EventPattern='{"source": ["my.app"]}')
    arn = "arn:aws:sqs:us-east-1:123456789012:own-events"
    transformer = {"InputPathsMap": {"n": "$.detail.name"}, "InputTemplate": '{"name": <n>}'}
    events.put_targets(Rule="own", Targets=[{"Id": "1", "Arn": arn}])
    events.put_targets(Rule="own", Targets=[{"Id": "2", "Arn": arn, "InputTransformer": transformer}])
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "Happened", "Detail": '{"name": "it"}'}])
    transformed, whole = sorted(cloud.messages("Own", 2), key=len)
    assert transformed == {"name": "it"}
    assert whole["detail"] == {"name": "it"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", whole["time"])
    assert "ingestion-time" not in whole
