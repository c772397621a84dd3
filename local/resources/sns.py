"""SNS topics."""

import json
from collections.abc import Mapping

from local.loose_types import Json
from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_TRACES, Physical, Resource, Stack, resource_type

# moto records messages to people and does not send them.
_PROTOCOLS = {"email", "email-json", "sms", "sqs"}


@resource_type(
    "AWS::SNS::Topic",
    supported={"TopicName", "DisplayName", "Subscription"},
    ignored={NO_ENCRYPTION: {"KmsMasterKeyId"}, NO_BILLING: {"Tags"}, NO_TRACES: {"TracingConfig"}},
)
def topic(stack: Stack, resource: Resource) -> Physical:
    """Create a standard topic."""
    attributes = resource.chosen("DisplayName")
    name = stack.physical_name(resource, "TopicName", 256)
    arn = stack.call("sns", "create_topic", Name=name, Attributes=attributes)["TopicArn"]
    for entry in resource.properties.get("Subscription", []):
        _subscribe(stack, resource, arn, entry)
    return Physical(arn, {"TopicArn": arn, "TopicName": name})


@resource_type("AWS::SNS::Subscription", supported={"Endpoint", "Protocol", "RawMessageDelivery", "TopicArn"})
def subscription(stack: Stack, resource: Resource) -> Physical:
    """Subscribe a queue, or a person, who receives nothing."""
    return Physical(_subscribe(stack, resource, resource.properties["TopicArn"], resource.properties))


def _subscribe(stack: Stack, resource: Resource, topic_arn: str, entry: Mapping[str, Json]) -> str:
    if entry["Protocol"] not in _PROTOCOLS:
        raise resource.unsupported(f"subscriptions by {entry['Protocol']}")
    attributes = {"RawMessageDelivery": entry["RawMessageDelivery"]} if "RawMessageDelivery" in entry else {}
    ends = {"TopicArn": topic_arn, "Protocol": entry["Protocol"], "Endpoint": entry["Endpoint"]}
    created = stack.call("sns", "subscribe", **ends, Attributes=attributes, ReturnSubscriptionArn=True)
    return str(created["SubscriptionArn"])


@resource_type("AWS::SNS::TopicPolicy", supported={"PolicyDocument", "Topics"})
def topic_policy(stack: Stack, resource: Resource) -> Physical:
    """Record the policy with the topics; permissions are not enforced here."""
    policy = json.dumps(resource.properties["PolicyDocument"])
    for arn in resource.properties["Topics"]:
        stack.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return Physical(resource.logical_id)
