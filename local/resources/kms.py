"""KMS keys."""

from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_PERMISSIONS, Physical, Resource, Stack, resource_type


@resource_type(
    "AWS::KMS::Key",
    honoured={"Description"},
    inert={
        NO_ENCRYPTION: {"EnableKeyRotation"},
        NO_PERMISSIONS: {"KeyPolicy"},
        NO_BILLING: {"PendingWindowInDays", "Tags"},
    },
)
def key(stack: Stack, resource: Resource) -> Physical:
    """A key, found again by an alias: keys have no names of their own."""
    alias = f"alias/{stack.name}-{resource.logical_id}"
    if found := stack.found("kms", "describe_key", "NotFoundException", KeyId=alias):
        made = found["KeyMetadata"]
        stack.call("kms", "update_key_description", KeyId=made["KeyId"], **resource.chosen("Description"))
    else:
        made = stack.call("kms", "create_key", **resource.chosen("Description"))["KeyMetadata"]
        stack.call("kms", "create_alias", AliasName=alias, TargetKeyId=made["KeyId"])
    return Physical(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})
