"""The permissions that a call of the AWS SDK needs: https://docs.aws.amazon.com/service-authorization/"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Params = dict[str, Any]


@dataclass(frozen=True)
class Need:
    """An action on a resource, with the values that conditions may check."""

    action: str
    resource: str  # in the form of tests.template.target
    context: dict[str, list[str]] = field(default_factory=dict)


def needs(service: str, operation: str, params: Params, logical: Callable[[str], str]) -> list[Need]:
    """Return the permissions that a call needs.

    Args:
        service: as botocore names it.
        operation: as botocore names it: ``GetObject``.
        params: the call's parameters.
        logical: returns a resource's id in the template for its name or ARN.

    Raises:
        AssertionError: the call is not described here.
    """
    if service == "s3":
        return list(_s3(operation, params, logical))
    if service == "dynamodb":
        return list(_dynamodb(operation, params, logical))
    if service == "glue" and operation in _CATALOGUE_OPERATIONS:
        return list(_glue_catalogue(operation, params, logical))
    action = f"{_IAM_NAMES.get(service, service)}:{_IAM_ACTIONS.get(operation, operation)}"
    return [Need(action, _resource(service, operation, params, logical))]


def needs_of_missing(service: str, operation: str, resource: str) -> list[Need]:
    """Return the additional permission that a call needs to get 404 instead of 403 for a missing object.

    S3 then requires the permission to list the bucket, for a request without ``s3:prefix``: a statement with a
    condition on it does not match (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, "Permissions").

    Args:
        service: as botocore names it.
        operation: as botocore names it.
        resource: the call's resource, as in :class:`Need`.
    """
    bucket, _, key = resource.partition("/")
    is_read = service == "s3" and key and operation in {"GetObject", "HeadObject", "CopyObject", "GetObjectTagging"}
    return [Need("s3:ListBucket", bucket)] if is_read else []


_IAM_NAMES = {"stepfunctions": "states"}
_IAM_ACTIONS = {
    "SendMessageBatch": "SendMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "Invoke": "InvokeFunction",
}
_QUEUE_OPERATIONS = {"SendMessageBatch", "SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"}
_QUEUE_OPERATIONS |= {"ChangeMessageVisibility", "ChangeMessageVisibilityBatch"}
# By service: operations, the parameter that names their resource, and the form of its ARN.
_OPERATIONS = {
    "sns": ({"Publish"}, "TopicArn", "{}"),
    # A call that names a stack is authorized for all stacks that have or had the name, whatever their ids.
    "cloudformation": ({"DescribeStacks"}, "StackName", "stack/{}/*"),
    "lambda": ({"Invoke"}, "FunctionName", "{}"),
    "sqs": (_QUEUE_OPERATIONS, "QueueUrl", "{}"),
    "stepfunctions": ({"ListExecutions", "StartExecution"}, "stateMachineArn", "{}"),
    "glue": ({"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun"}, "JobName", "job/{}"),
}
_EXECUTION_OPERATIONS = {"DescribeExecution", "GetExecutionHistory"}


def _resource(service: str, operation: str, params: Params, logical: Callable[[str], str]) -> str:
    if (service, operation) == ("events", "PutEvents"):
        return "event-bus/default"
    if service == "stepfunctions" and operation in _EXECUTION_OPERATIONS:
        machine, name = params["executionArn"].replace(":execution:", ":stateMachine:").rsplit(":", 1)
        return f"execution:{logical(machine)}:{name}"
    operations, parameter, form = _OPERATIONS.get(service, (set[str](), "", ""))
    assert operation in operations, f"{service} {operation}: add what it needs to tests/permissions/calls.py"
    return form.format(logical(params[parameter]))


_CATALOGUE_OPERATIONS = {"GetDatabase", "GetTable", "CreateTable", "UpdateTable"}


def _glue_catalogue(operation: str, params: Params, logical: Callable[[str], str]) -> Iterator[Need]:
    database = logical(params.get("DatabaseName") or params["Name"])
    table = params.get("TableInput", {}).get("Name") or params["Name"]
    yield Need(f"glue:{operation}", "catalog")
    yield Need(f"glue:{operation}", f"database/{database}")
    if operation != "GetDatabase":
        yield Need(f"glue:{operation}", f"table/{database}/{table}")


_S3_OBJECT_ACTIONS = {
    "GetObject": ("s3:GetObject",),
    "HeadObject": ("s3:GetObject",),
    "PutObject": ("s3:PutObject",),
    "DeleteObject": ("s3:DeleteObject",),
    "CopyObject": ("s3:PutObject", "s3:PutObjectTagging"),  # a copy includes the tags
    "CreateMultipartUpload": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "UploadPartCopy": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "GetObjectTagging": ("s3:GetObjectTagging",),
    "PutObjectTagging": ("s3:PutObjectTagging",),
}
_OF_A_VERSION = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
}
_S3_BUCKET_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjects": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketLocation": "s3:GetBucketLocation",
}


def _s3(operation: str, params: Params, logical: Callable[[str], str]) -> Iterator[Need]:
    bucket = logical(params["Bucket"])
    if operation in _S3_BUCKET_ACTIONS:
        context = {"s3:prefix": [params["Prefix"]]} if "Prefix" in params else {}
        yield Need(_S3_BUCKET_ACTIONS[operation], bucket, context)
        return
    if operation == "DeleteObjects":
        for item in params["Delete"]["Objects"]:
            yield Need(_of_version("s3:DeleteObject", item), f"{bucket}/{item['Key']}")
        return
    assert operation in _S3_OBJECT_ACTIONS, f"s3 {operation}: add what it needs to tests/permissions/calls.py"
    for action in _S3_OBJECT_ACTIONS[operation]:
        yield Need(_of_version(action, params), f"{bucket}/{params['Key']}")
    if params.get("Tagging"):
        yield Need("s3:PutObjectTagging", f"{bucket}/{params['Key']}")
    if origin := params.get("CopySource"):
        original = f"{logical(origin['Bucket'])}/{origin['Key']}"
        yield Need(_of_version("s3:GetObject", origin), original)
        if operation == "CopyObject":
            yield Need(_of_version("s3:GetObjectTagging", origin), original)


def _of_version(action: str, params: Params) -> str:
    return _OF_A_VERSION.get(action, action) if params.get("VersionId") else action


def _dynamodb(operation: str, params: Params, logical: Callable[[str], str]) -> Iterator[Need]:
    if operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in params["RequestItems"]:
            yield Need(f"dynamodb:{operation}", logical(table))
        return
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    item = params.get("Key") or params.get("Item") or {}
    context = {"dynamodb:LeadingKeys": [str(value) for name, value in item.items() if name in {"source_id", "pk"}]}
    yield Need(f"dynamodb:{operation}", logical(params["TableName"]) + index, context)
