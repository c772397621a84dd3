"""The evaluation of permissions is strict: what no statement allows is denied and recorded."""

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.permissions.acting import acting
from tests.permissions.calls import Need, needs
from tests.permissions.statements import allows

RUNS = {"Fn::Sub": "${LakeBucket.Arn}/runs/*"}
READ_RUNS = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": RUNS}
LIST_RUNS = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": {"Fn::GetAtt": ["LakeBucket", "Arn"]},
    "Condition": {"StringLike": {"s3:prefix": "runs/*"}},
}
FENCES = {
    "Effect": "Allow",
    "Action": "dynamodb:UpdateItem",
    "Resource": {"Fn::GetAtt": ["FilesTable", "Arn"]},
    "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "FENCE#*"}},
}


def logical(name: str) -> str:
    return {"lake": "LakeBucket", "files": "FilesTable"}[name]


@pytest.mark.parametrize(
    ("action", "resource", "context", "expected"),
    [
        ("s3:GetObject", "LakeBucket/runs/a/b", {}, True),
        ("s3:GetObject", "LakeBucket/warehouse/a", {}, False),
        ("s3:GetObject", "LandingBucket/runs/a", {}, False),
        ("s3:GetObjectVersion", "LakeBucket/runs/a", {}, False),
        ("s3:ListBucket", "LakeBucket", {"s3:prefix": ["runs/a"]}, True),
        ("s3:ListBucket", "LakeBucket", {"s3:prefix": ["warehouse/"]}, False),
        ("s3:ListBucket", "LakeBucket", {}, False),
        ("dynamodb:UpdateItem", "FilesTable", {"dynamodb:LeadingKeys": ["FENCE#2024-06-25"]}, True),
        ("dynamodb:UpdateItem", "FilesTable", {"dynamodb:LeadingKeys": ["0123"]}, False),
        ("dynamodb:UpdateItem", "FilesTable/index/by-status", {}, False),
    ],
)
def test_only_named_actions_and_resources_are_allowed(action, resource, context, expected):
    assert allows([READ_RUNS, LIST_RUNS, FENCES], action, resource, context) is expected


def test_copy_of_a_version_needs_to_read_and_write_object_and_tags():
    params = {"Bucket": "lake", "Key": "b", "CopySource": {"Bucket": "lake", "Key": "a", "VersionId": "v"}}
    assert needs("s3", "CopyObject", params, logical) == [
        Need("s3:PutObject", "LakeBucket/b"),
        Need("s3:PutObjectTagging", "LakeBucket/b"),
        Need("s3:GetObjectVersion", "LakeBucket/a"),
        Need("s3:GetObjectVersionTagging", "LakeBucket/a"),
    ]


def test_query_of_an_index_needs_permission_on_the_index():
    [need] = needs("dynamodb", "Query", {"TableName": "files", "IndexName": "by-status"}, logical)
    assert (need.action, need.resource) == ("dynamodb:Query", "FilesTable/index/by-status")


def test_resource_of_an_execution_contains_its_state_machine():
    arn = "arn:aws:states:us-east-1:123456789012:execution:machine:name"
    machine = {"arn:aws:states:us-east-1:123456789012:stateMachine:machine": "ProcessStreams"}
    [need] = needs("stepfunctions", "DescribeExecution", {"executionArn": arn}, machine.__getitem__)
    assert (need.action, need.resource) == ("states:DescribeExecution", "execution:ProcessStreams:name")


def test_call_without_a_description_fails():
    with pytest.raises(AssertionError, match=r"add what it needs to"):
        needs("s3", "RestoreObject", {"Bucket": "lake", "Key": "a"}, logical)


@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket="lake")
        yield client


def test_call_that_is_not_granted_is_denied_and_recorded(s3):
    s3.put_object(Bucket="lake", Key="runs/a", Body=b"a")
    with acting([READ_RUNS], {"lake": "LakeBucket"}) as acts:
        assert s3.get_object(Bucket="lake", Key="runs/a")["Body"].read() == b"a"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket="lake", Key="runs/a", Body=b"b")
    assert acts.granted == [Need("s3:GetObject", "LakeBucket/runs/a")]
    assert acts.refused == [Need("s3:PutObject", "LakeBucket/runs/a")]
    assert s3.get_object(Bucket="lake", Key="runs/a")["Body"].read() == b"a"


@pytest.mark.parametrize(("condition", "code"), [({}, "404"), (LIST_RUNS["Condition"], "AccessDenied")])
def test_missing_object_gives_404_only_with_permission_to_list_without_a_prefix(s3, condition, code):
    listing = {**LIST_RUNS, "Condition": condition}
    with acting([READ_RUNS, listing], {"lake": "LakeBucket"}), pytest.raises(ClientError) as raised:
        s3.head_object(Bucket="lake", Key="runs/gone")
    assert raised.value.response["Error"]["Code"] == code
