"""KMS keys."""

from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_PERMISSIONS, Physical, Resource, Stack, resource_type


@resource_type(
    "AWS::KMS::Key",
    supported={"Description"},
    ignored={
        NO_ENCRYPTION: {"EnableKeyRotation"},
        NO_PERMISSIONS: {"KeyPolicy"},
        NO_BILLING: {"PendingWindowInDays", "Tags"},
    },
)
def key(stack: Stack, resource: Resource) -> Physical:
    """Create the key, or find it by an alias, since keys have no names."""
    alias = f"alias/{stack.name}-{resource.logical_id}"
    if found := stack.found("kms", "describe_key", "NotFoundException", KeyId=alias):
        metadata = found["KeyMetadata"]
        stack.call("kms", "update_key_description", KeyId=metadata["KeyId"], **resource.chosen("Description"))
    else:
        metadata = stack.call("kms", "create_key", **resource.chosen("Description"))["KeyMetadata"]
        stack.call("kms", "create_alias", AliasName=alias, TargetKeyId=metadata["KeyId"])
    return Physical(metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]})
