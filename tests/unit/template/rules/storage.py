"""Buckets, tables, topics: encrypted, private, and nothing lost by accident."""

from collections.abc import Iterator
from typing import Any

from tests.template import Template, as_list, of_type, refuses_plain_http, resource_statements, target
from tests.unit.template.faults import add, arn, attribute, drop, finds, put, statement_of

BLOCKS = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
LANDS = ("incoming/", "reference/")
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
def every_bucket_speaks_tls_only(template: Template) -> Iterator[str]:
    for name in of_type(template, "AWS::S3::Bucket"):
        if not refuses_plain_http(template, "AWS::S3::BucketPolicy", {"s3:*"}, name, f"{name}/*"):
            yield f"{name}: no bucket policy denies plain HTTP to it and its objects"


@finds(drop("LandingBucket/VersioningConfiguration"), "LandingBucket")
def the_bucket_where_files_land_keeps_versions(template: Template) -> Iterator[str]:
    landing = _landing_buckets(template)
    if not landing:
        yield "no bucket tells EventBridge of its objects"
    for name, bucket in landing.items():
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield f"{name}: without versions a key that is used again erases what it held"


STORAGE_CLASS = "s3:x-amz-storage-class"
CUSTOMERS_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
ENCRYPTION = "s3:x-amz-server-side-encryption"
KMS_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
"""What a PUT asks for, as condition keys of a bucket policy.

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
@finds(statement_of("LandingBucketPolicy", "NoKeysThatAreNotOurs", Condition=UNDER_ANY_KMS_KEY), "takes an object")
@finds(statement_of("LandingBucketPolicy", "NoKeysThatAreNotOurs", Condition=WITHOUT_A_KEY), "refuses an object")
def the_bucket_where_files_land_takes_only_what_can_be_read(template: Template) -> Iterator[str]:
    for name in _landing_buckets(template):
        for keys_are_named in (False, True):
            for asked in UNREADABLE + (() if keys_are_named else (UNDER_A_PRODUCERS_KEY,)):
                if not _denies_put(template, name, asked, keys_are_named=keys_are_named):
                    yield f"{name}: takes an object with {asked}, which nothing here can read"
            for asked in READABLE + ((UNDER_A_PRODUCERS_KEY,) if keys_are_named else ()):
                if _denies_put(template, name, asked, keys_are_named=keys_are_named):
                    yield f"{name}: refuses an object with {asked or 'nothing special'}"


def _denies_put(template: Template, bucket: str, asked: dict[str, str], *, keys_are_named: bool) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and set(as_list(statement["Action"])) & {"s3:PutObject", "s3:*"}
        and f"{bucket}/*" in {target(each) for each in as_list(statement["Resource"])}
        and all(
            _holds(operator, asked.get(key), [target(value) for value in as_list(values)])
            for operator, conditions in _condition(statement, keys_are_named=keys_are_named).items()
            for key, values in conditions.items()
        )
        for _, statement in resource_statements(template, "AWS::S3::BucketPolicy")
    )


def _condition(statement: dict[str, Any], *, keys_are_named: bool) -> dict[str, Any]:
    """The condition of a statement, where keys of producers are named or not."""
    condition = statement["Condition"]
    if "Fn::If" not in condition:
        return condition
    name, where_it_holds, otherwise = condition["Fn::If"]
    assert name == "HasProducerKeys"
    return where_it_holds if keys_are_named else otherwise


def _holds(operator: str, given: str | None, values: list[str]) -> bool:
    """A condition as IAM evaluates it, of the operators that the policy may use; all calls come by TLS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html: a negated
    operator holds where the request lacks the key.
    """
    if operator == "Null":
        return (given is None) is (values == ["true"])
    if operator == "StringNotEquals":
        return given not in values
    return operator == "StringEquals" and given in values


@finds(add(LIFECYCLE, {**TIDY, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}), "lies anywhere")
@finds(add(LIFECYCLE, {"Fn::If": ["ArchiveExpires", EXPIRE_EARLY, {"Ref": "AWS::NoValue"}]}), "lies under incoming/")
@finds(add(LIFECYCLE, {**TIDY, "Prefix": "reference/songs/", "ExpirationInDays": 30}), "lies under reference/")
def nothing_expires_where_files_land(template: Template) -> Iterator[str]:
    for name, bucket in _landing_buckets(template).items():
        for rule in _lifecycle_rules(bucket):
            if not any("Expiration" in key or "Expired" in key for key in rule):
                continue
            if not rule.get("Prefix"):
                yield f"{name}: rule {rule.get('Id')} expires what lies anywhere"
            for prefix in LANDS:
                if _touches(rule, prefix):
                    yield f"{name}: rule {rule.get('Id')} expires what lies under {prefix}"


@finds(drop(f"{LIFECYCLE}/0/Fn::If/1/NoncurrentVersionExpiration"), "expire-archive")
def what_expires_leaves_no_version_behind(template: Template) -> Iterator[str]:
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        if "VersioningConfiguration" not in bucket:
            continue
        for rule in _lifecycle_rules(bucket):
            if "ExpirationInDays" in rule and "NoncurrentVersionExpiration" not in rule:
                yield f"{name}: rule {rule.get('Id')} hides what expires, and keeps it for ever"


def _lifecycle_rules(bucket: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rules that may be on, whatever the parameters."""
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
    covered = rule.get("Prefix", "")  # CloudFormation's rules know no Filter
    return bool(covered and (covered.startswith(prefix) or prefix.startswith(covered)))


@finds(drop("FilesTable/PointInTimeRecoverySpecification"), "FilesTable")
def every_table_is_encrypted_and_can_be_restored(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            yield f"{name}: no SSESpecification"
        if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name}: no point-in-time recovery"


@finds(drop("AlertsTopic/KmsMasterKeyId"), "AlertsTopic")
def every_topic_is_encrypted_and_speaks_tls_only(template: Template) -> Iterator[str]:
    for name, topic in of_type(template, "AWS::SNS::Topic").items():
        if "KmsMasterKeyId" not in topic:
            yield f"{name}: no KmsMasterKeyId"
        if not refuses_plain_http(template, "AWS::SNS::TopicPolicy", {"sns:Publish"}, name):
            yield f"{name}: no topic policy denies publishing by plain HTTP"


@finds(attribute("MetricsTable", DeletionPolicy="Delete"), "MetricsTable")
@finds(attribute("MetricsTable", UpdateReplacePolicy="Delete"), "MetricsTable: UpdateReplacePolicy")
def what_holds_data_outlives_the_stack(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource["Type"] not in HOLDS_DATA:
            continue
        if resource.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate"}:
            yield f"{name}: DeletionPolicy lets it go with the stack"
        if resource.get("UpdateReplacePolicy") != "Retain":  # CloudFormation has no RetainExceptOnCreate here
            yield f"{name}: UpdateReplacePolicy is not Retain"


@finds(attribute("LakeDatabase", DeletionPolicy="Retain"), "LakeDatabase")
def a_failed_first_deployment_leaves_nothing_behind(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource.get("DeletionPolicy", "Delete") not in {"Delete", "RetainExceptOnCreate"}:
            yield f"{name}: stays when its creation is rolled back, and the next deployment may fail on it"
