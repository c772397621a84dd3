"""Buckets, tables and topics: encryption, no public access, protection from accidental deletion."""

from collections.abc import Iterator
from typing import Any

from tests.template import Template, as_list, of_type, refuses_plain_http, resource_statements, target
from tests.unit.template.faults import add, arn, attribute, drop, finds, put, statement_of

BLOCKS = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
LANDING_PREFIXES = ("incoming/", "reference/")
LIFECYCLE = "LandingBucket/LifecycleConfiguration/Rules"
TIDY = {"Id": "tidy", "Status": "Enabled"}
EXPIRE_EARLY = {**TIDY, "Prefix": "inc", "ExpirationInDays": {"Ref": "ArchiveDays"}}
HOLDS_DATA = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Glue::Database"}


@finds(drop("LakeBucket/BucketEncryption"), "LakeBucket")
def every_bucket_is_encrypted(template: Template) -> Iterator[str]:
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        algorithms = {rule.get("ServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules}
        if not algorithms & {"AES256", "aws:kms"}:
            yield f"{name}: no BucketEncryption"


@finds(put("LakeBucket/PublicAccessBlockConfiguration/RestrictPublicBuckets", False), "RestrictPublicBuckets")
def every_bucket_blocks_public_access(template: Template) -> Iterator[str]:
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        blocked = {block for block, on in bucket.get("PublicAccessBlockConfiguration", {}).items() if on is True}
        if missing := BLOCKS - blocked:
            yield f"{name}: {', '.join(sorted(missing))} is not on"


@finds(statement_of("LandingBucketPolicy", "TlsOnly", Resource=[arn("LandingBucket")]), "LandingBucket")
def every_bucket_requires_tls(template: Template) -> Iterator[str]:
    for name in of_type(template, "AWS::S3::Bucket"):
        if not refuses_plain_http(template, "AWS::S3::BucketPolicy", {"s3:*"}, name, f"{name}/*"):
            yield f"{name}: no bucket policy denies plain HTTP to it and its objects"


@finds(drop("LandingBucket/VersioningConfiguration"), "LandingBucket")
def landing_bucket_keeps_versions(template: Template) -> Iterator[str]:
    landing = _landing_buckets(template)
    if not landing:
        yield "no bucket sends events to EventBridge"
    for name, bucket in landing.items():
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield f"{name}: without versioning, an upload with a used key erases the earlier object"


STORAGE_CLASS = "s3:x-amz-storage-class"
CUSTOMERS_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
ENCRYPTION = "s3:x-amz-server-side-encryption"
KMS_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
"""Condition keys of a bucket policy for the options of a PUT.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
"""
UNREADABLE = (
    {STORAGE_CLASS: "GLACIER"},
    {STORAGE_CLASS: "DEEP_ARCHIVE"},
    {CUSTOMERS_KEY: "AES256"},
    {ENCRYPTION: "aws:kms"},
    {ENCRYPTION: "aws:kms", KMS_KEY: "any other key"},
    {ENCRYPTION: "aws:kms:dsse"},
)
READABLE: tuple[dict[str, str], ...] = (
    {},
    {STORAGE_CLASS: "STANDARD"},
    {STORAGE_CLASS: "GLACIER_IR"},
    {ENCRYPTION: "AES256"},
)
UNDER_ANY_KMS_KEY = {"StringEquals": {ENCRYPTION: "aws:kms"}}
WITHOUT_A_KEY = {"Null": {"aws:x": "true"}}
UNDER_A_PRODUCERS_KEY = {ENCRYPTION: "aws:kms", KMS_KEY: "ProducerKeyArns"}


@finds(statement_of("LandingBucketPolicy", "NoArchiveClasses", Effect="Allow"), "LandingBucket")
@finds(statement_of("LandingBucketPolicy", "NoKeysOfCustomers", Resource=[arn("LandingBucket")]), "LandingBucket")
@finds(statement_of("LandingBucketPolicy", "NoKeysThatAreNotOurs", Condition=UNDER_ANY_KMS_KEY), "accepts an object")
@finds(statement_of("LandingBucketPolicy", "NoKeysThatAreNotOurs", Condition=WITHOUT_A_KEY), "rejects an object")
def landing_bucket_accepts_only_readable_objects(template: Template) -> Iterator[str]:
    for name in _landing_buckets(template):
        for has_producer_keys in (False, True):
            for options in UNREADABLE + (() if has_producer_keys else (UNDER_A_PRODUCERS_KEY,)):
                if not _denies_put(template, name, options, has_producer_keys=has_producer_keys):
                    yield f"{name}: accepts an object with {options}, which the pipeline cannot read"
            for options in READABLE + ((UNDER_A_PRODUCERS_KEY,) if has_producer_keys else ()):
                if _denies_put(template, name, options, has_producer_keys=has_producer_keys):
                    yield f"{name}: rejects an object with {options or 'default options'}"


def _denies_put(template: Template, bucket: str, options: dict[str, str], *, has_producer_keys: bool) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and set(as_list(statement["Action"])) & {"s3:PutObject", "s3:*"}
        and f"{bucket}/*" in {target(each) for each in as_list(statement["Resource"])}
        and all(
            _holds(operator, options.get(key), [target(value) for value in as_list(values)])
            for operator, conditions in _condition(statement, has_producer_keys=has_producer_keys).items()
            for key, values in conditions.items()
        )
        for _, statement in resource_statements(template, "AWS::S3::BucketPolicy")
    )


def _condition(statement: dict[str, Any], *, has_producer_keys: bool) -> dict[str, Any]:
    """Return the condition of a statement, with or without keys of producers."""
    condition = statement["Condition"]
    if "Fn::If" not in condition:
        return condition
    name, if_true, if_false = condition["Fn::If"]
    assert name == "HasProducerKeys"
    return if_true if has_producer_keys else if_false


def _holds(operator: str, given: str | None, values: list[str]) -> bool:
    """Evaluate a condition as IAM does, for the operators that the policy uses; all calls use TLS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html: a negated
    operator matches if the request lacks the key.
    """
    if operator == "Null":
        return (given is None) is (values == ["true"])
    if operator == "StringNotEquals":
        return given not in values
    return operator == "StringEquals" and given in values


@finds(add(LIFECYCLE, {**TIDY, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}), "any object")
@finds(add(LIFECYCLE, {"Fn::If": ["ArchiveExpires", EXPIRE_EARLY, {"Ref": "AWS::NoValue"}]}), "objects under incoming/")
@finds(add(LIFECYCLE, {**TIDY, "Prefix": "reference/songs/", "ExpirationInDays": 30}), "objects under reference/")
def nothing_expires_under_the_landing_prefixes(template: Template) -> Iterator[str]:
    for name, bucket in _landing_buckets(template).items():
        for rule in _lifecycle_rules(bucket):
            if not any("Expiration" in key or "Expired" in key for key in rule):
                continue
            if not rule.get("Prefix"):
                yield f"{name}: rule {rule.get('Id')} expires any object"
            for prefix in LANDING_PREFIXES:
                if _touches(rule, prefix):
                    yield f"{name}: rule {rule.get('Id')} expires objects under {prefix}"


@finds(drop(f"{LIFECYCLE}/0/Fn::If/1/NoncurrentVersionExpiration"), "expire-archive")
def expired_objects_leave_no_version(template: Template) -> Iterator[str]:
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        if "VersioningConfiguration" not in bucket:
            continue
        for rule in _lifecycle_rules(bucket):
            if "ExpirationInDays" in rule and "NoncurrentVersionExpiration" not in rule:
                yield f"{name}: rule {rule.get('Id')} keeps the versions of expired objects forever"


def _lifecycle_rules(bucket: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the rules that some values of the parameters enable."""
    for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", []):
        for each in rule["Fn::If"][1:] if "Fn::If" in rule else [rule]:
            if each.get("Status") == "Enabled":  # AWS::NoValue has none
                yield each


def _landing_buckets(template: Template) -> dict[str, dict[str, Any]]:
    return {
        name: bucket
        for name, bucket in of_type(template, "AWS::S3::Bucket").items()
        if "EventBridgeConfiguration" in bucket.get("NotificationConfiguration", {})
    }


def _touches(rule: dict[str, Any], prefix: str) -> bool:
    covered = rule.get("Prefix", "")  # CloudFormation's rules have no Filter
    return bool(covered and (covered.startswith(prefix) or prefix.startswith(covered)))


@finds(drop("FilesTable/PointInTimeRecoverySpecification"), "FilesTable")
def every_table_is_encrypted_and_can_be_restored(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            yield f"{name}: no SSESpecification"
        if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name}: no point-in-time recovery"


@finds(drop("AlertsTopic/KmsMasterKeyId"), "AlertsTopic")
def every_topic_is_encrypted_and_requires_tls(template: Template) -> Iterator[str]:
    for name, topic in of_type(template, "AWS::SNS::Topic").items():
        if "KmsMasterKeyId" not in topic:
            yield f"{name}: no KmsMasterKeyId"
        if not refuses_plain_http(template, "AWS::SNS::TopicPolicy", {"sns:Publish"}, name):
            yield f"{name}: no topic policy denies publishing by plain HTTP"


@finds(attribute("MetricsTable", DeletionPolicy="Delete"), "MetricsTable")
@finds(attribute("MetricsTable", UpdateReplacePolicy="Delete"), "MetricsTable: UpdateReplacePolicy")
def resources_with_data_are_retained_without_the_stack(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource["Type"] not in HOLDS_DATA:
            continue
        if resource.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate"}:
            yield f"{name}: DeletionPolicy deletes it with the stack"
        if resource.get("UpdateReplacePolicy") != "Retain":  # CloudFormation has no RetainExceptOnCreate here
            yield f"{name}: UpdateReplacePolicy is not Retain"


@finds(attribute("LakeDatabase", DeletionPolicy="Retain"), "LakeDatabase")
def failed_first_deployment_leaves_no_resource(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource.get("DeletionPolicy", "Delete") not in {"Delete", "RetainExceptOnCreate"}:
            yield f"{name}: remains if its creation is rolled back, and the next deployment may then fail"
