"""SQS queues."""

import json

from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_PERMISSIONS, Physical, Resource, Stack, resource_type

_NO_SUCH_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_ATTRIBUTES = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)


@resource_type(
    "AWS::SQS::Queue",
    supported={"QueueName", "RedrivePolicy", *_ATTRIBUTES},
    ignored={
        NO_ENCRYPTION: {"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "SqsManagedSseEnabled"},
        NO_PERMISSIONS: {"RedriveAllowPolicy"},
        NO_BILLING: {"Tags"},
    },
)
def queue(stack: Stack, resource: Resource) -> Physical:
    """Create a standard queue, or update it and keep its messages."""
    name = stack.physical_name(resource, "QueueName", 80)
    attributes = resource.chosen(*_ATTRIBUTES)
    if "RedrivePolicy" in resource.properties:
        attributes["RedrivePolicy"] = json.dumps(resource.properties["RedrivePolicy"])
    if found := stack.found("sqs", "get_queue_url", *_NO_SUCH_QUEUE, QueueName=name):
        url = found["QueueUrl"]
        stack.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=attributes)
    else:
        url = stack.call("sqs", "create_queue", QueueName=name, Attributes=attributes)["QueueUrl"]
    return Physical(url, {"Arn": stack.arn("sqs", name), "QueueName": name, "QueueUrl": url})


@resource_type("AWS::SQS::QueuePolicy", supported={"Queues", "PolicyDocument"})
def queue_policy(stack: Stack, resource: Resource) -> Physical:
    """Record the policy with the queues; permissions are not enforced here."""
    for url in resource.properties["Queues"]:
        policy = json.dumps(resource.properties["PolicyDocument"])
        stack.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})
    return Physical(resource.logical_id)
