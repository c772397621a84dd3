"""S3 buckets."""

from local.loose_types import Json
from local.packaging import ensure_bucket
from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_PERMISSIONS, Physical, Resource, Stack, resource_type


@resource_type(
    "AWS::S3::Bucket",
    supported={"BucketName", "VersioningConfiguration", "NotificationConfiguration", "PublicAccessBlockConfiguration"},
    ignored={
        NO_ENCRYPTION: {"BucketEncryption"},
        "web pages cannot call the cloud": {"CorsConfiguration"},
        NO_BILLING: {"IntelligentTieringConfigurations", "LoggingConfiguration", "MetricsConfigurations", "Tags"},
        "nothing expires here": {"LifecycleConfiguration"},
        NO_PERMISSIONS: {"OwnershipControls"},
    },
)
def bucket(stack: Stack, resource: Resource) -> Physical:
    """Create or update the bucket; EventBridge is the only destination of its notifications."""
    name = stack.physical_name(resource, "BucketName", 63).lower()
    ensure_bucket(stack.aws, name)
    stack.apply(resource, "VersioningConfiguration", "s3", "put_bucket_versioning", Bucket=name)
    stack.apply(resource, "PublicAccessBlockConfiguration", "s3", "put_public_access_block", Bucket=name)
    notifications = resource.properties.get("NotificationConfiguration", {})
    if other := sorted(set(notifications) - {"EventBridgeConfiguration"}):
        raise resource.unsupported(f"NotificationConfiguration.{other[0]}: send notifications to EventBridge")
    to_event_bridge = notifications.get("EventBridgeConfiguration")
    is_enabled = to_event_bridge is not None and str(to_event_bridge.get("EventBridgeEnabled", True)).lower() == "true"
    wanted: Json = {"EventBridgeConfiguration": {}} if is_enabled else {}
    stack.call("s3", "put_bucket_notification_configuration", Bucket=name, NotificationConfiguration=wanted)
    return Physical(name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"})


@resource_type("AWS::S3::BucketPolicy", ignored={NO_PERMISSIONS: {"Bucket", "PolicyDocument"}})
def bucket_policy(stack: Stack, resource: Resource) -> Physical:  # noqa: ARG001  signature of Create
    """Do nothing: moto would apply a policy's denials without their conditions."""
    return Physical(resource.logical_id)
