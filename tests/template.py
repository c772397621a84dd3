"""Access to a translated template for tests."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Template = dict[str, Any]
Rule = Callable[[Template], Iterable[str]]

WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}
_RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
}


def of_type(template: Template, *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of some types, by logical id."""
    return {name: r.get("Properties", {}) for name, r in template["Resources"].items() if r["Type"] in kinds}


def as_list(value: Any) -> list[Any]:
    """Return a list: IAM and CloudFormation accept a list of one item without brackets."""
    return value if isinstance(value, list) else [value]


def target(value: Any) -> str:
    """Return the logical id in a Ref, GetAtt or Sub, with what follows it: ``LandingBucket/incoming/*``.

    ARNs can thus be compared without an account: ARN, name and reference of a resource give the same result.
    """
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        return str(argument)
    if function == "Fn::GetAtt":
        return str(argument[0] if isinstance(argument, list) else argument.split(".")[0])
    if function == "Fn::Sub" and isinstance(argument, str):
        text = re.sub(r"\$\{AWS::[A-Za-z]+\}", "any", argument)
        text = re.sub(r"\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}", r"\1", text)
        # Of a literal ARN, the part after the account: job/TransformJob, event-bus/default
        return re.sub(r"^arn:[^:]+:[^:]+:[^:]*:[^:]*:", "", text)
    raise AssertionError(f"tests/template.py does not support the reference {value}: add it to target()")


def role_statements(template: Template, role: str) -> list[dict[str, Any]]:
    """Return the inline statements of a role."""
    policies = template["Resources"][role]["Properties"].get("Policies", [])
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of the template, except trust policies, with the logical id of its resource."""
    for role in of_type(template, "AWS::IAM::Role"):
        yield from ((role, statement) for statement in role_statements(template, role))
    for name, policy in of_type(template, "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy").items():
        yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])
    yield from resource_statements(template)


def resource_statements(template: Template, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements of resource policies: of buckets, queues, topics, keys."""
    for kind in kinds or tuple(_RESOURCE_POLICIES):
        for name, properties in of_type(template, kind).items():
            for statement in properties[_RESOURCE_POLICIES[kind]]["Statement"]:
                yield name, statement


def refuses_plain_http(template: Template, policy_kind: str, actions: set[str], *resources: str) -> bool:
    """Whether a policy denies everybody these actions on all these resources without TLS."""
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement.get("Condition") == WITHOUT_TLS
        and set(as_list(statement["Action"])) & actions
        and {target(resource) for resource in as_list(statement["Resource"])} >= set(resources)
        for _, statement in resource_statements(template, policy_kind)
    )
