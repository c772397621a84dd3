"""IAM roles and policies: recorded so that they can be referred to and inspected, but not enforced."""

import json

from local.loose_types import Json
from local.resources.base import NO_BILLING, NO_PERMISSIONS, Physical, Resource, Stack, resource_type


@resource_type(
    "AWS::IAM::Role",
    supported={"AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "Policies", "RoleName"},
    ignored={NO_PERMISSIONS: {"ManagedPolicyArns", "PermissionsBoundary"}, NO_BILLING: {"Tags"}},
)
def role(stack: Stack, resource: Resource) -> Physical:
    """Create or update the role with its inline policies."""
    name = stack.physical_name(resource, "RoleName")
    trust = _document(resource.properties["AssumeRolePolicyDocument"])
    if stack.found("iam", "get_role", "NoSuchEntity", RoleName=name):
        stack.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=trust)
    else:
        settings = resource.chosen("Description", "MaxSessionDuration", "Path")
        stack.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust, **settings)
    for policy in resource.properties.get("Policies", []):
        _put_inline(stack, name, policy["PolicyName"], policy["PolicyDocument"])
    described = stack.call("iam", "get_role", RoleName=name)["Role"]
    return Physical(name, {"Arn": described["Arn"], "RoleId": described["RoleId"]})


@resource_type("AWS::IAM::Policy", supported={"PolicyDocument", "PolicyName", "Roles"})
def inline_policy(stack: Stack, resource: Resource) -> Physical:
    """Put an inline policy into several roles."""
    for name in resource.properties.get("Roles", []):
        _put_inline(stack, name, resource.properties["PolicyName"], resource.properties["PolicyDocument"])
    return Physical(resource.logical_id)


@resource_type(
    "AWS::IAM::ManagedPolicy", supported={"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles"}
)
def managed_policy(stack: Stack, resource: Resource) -> Physical:
    """Create a policy and attach it to roles; a changed document becomes its default version."""
    name = stack.physical_name(resource, "ManagedPolicyName", 128)
    path = str(resource.properties.get("Path", "/"))
    arn = f"arn:aws:iam::{stack.account}:policy{path}{name}"
    document = _document(resource.properties["PolicyDocument"])
    if found := stack.found("iam", "get_policy", "NoSuchEntity", PolicyArn=arn):
        former = found["Policy"]["DefaultVersionId"]
        stack.call("iam", "create_policy_version", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        stack.call("iam", "delete_policy_version", PolicyArn=arn, VersionId=former)
    else:
        description = resource.chosen("Description")
        stack.call("iam", "create_policy", PolicyName=name, Path=path, PolicyDocument=document, **description)
    for role_name in resource.properties.get("Roles", []):
        stack.call("iam", "attach_role_policy", RoleName=role_name, PolicyArn=arn)
    return Physical(arn, {"PolicyArn": arn})


def _put_inline(stack: Stack, role_name: str, policy_name: str, document: dict[str, Json]) -> None:
    stack.call("iam", "put_role_policy", RoleName=role_name, PolicyName=policy_name, PolicyDocument=_document(document))


def _document(document: dict[str, Json]) -> str:
    return json.dumps({"Version": "2012-10-17", **document})
