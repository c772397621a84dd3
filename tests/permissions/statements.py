"""Evaluation of IAM statements, only as the template uses them: literal actions, * in resources, two conditions."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.permissions.calls import Need
from tests.template import Template, as_list, target

Context = Mapping[str, list[str]]


def allows(statements: list[dict[str, Any]], action: str, resource: str, context: Context | None = None) -> bool:
    """Return whether some statement grants the action on the resource.

    Args:
        statements: the statements of one role.
        action: in IAM's form: ``s3:GetObject``.
        resource: in the form of :func:`target`: ``LandingBucket/incoming/a.csv``.
        context: the values that conditions check: ``{"s3:prefix": ["runs/x"]}``.
    """
    return any(
        statement["Effect"] == "Allow"
        and action in as_list(statement["Action"])
        and any(_matches(resource, target(pattern)) for pattern in as_list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), context or {})
        for statement in statements
    )


def _matches(text: str, pattern: str) -> bool:
    # IAM's patterns have no character sets.
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _holds(condition: dict[str, Any], context: Context) -> bool:
    for operator, expected in condition.items():
        assert operator in {"StringLike", "ForAllValues:StringLike"}, (
            f"add {operator} to tests/permissions/statements.py"
        )
        for key, patterns in expected.items():
            values = context.get(key, [])
            if operator == "StringLike" and not values:
                return False
            if not all(any(_matches(value, pattern) for pattern in as_list(patterns)) for value in values):
                return False
    return True


def policy_statements(template: Template, *policies: str) -> list[dict[str, Any]]:
    """Return the statements of managed policies."""
    documents = [template["Resources"][policy]["Properties"]["PolicyDocument"] for policy in policies]
    return [statement for document in documents for statement in document["Statement"]]


def unused(statements: list[dict[str, Any]], needs: Iterable[Need]) -> set[str]:
    """Return ``ACTION on RESOURCES`` for each action of each statement that no need requires."""
    distinct = {(need.action, need.resource, *map(str, need.context.items())): need for need in needs}
    return {
        f"{action} on {', '.join(target(resource) for resource in as_list(each['Resource']))}"
        for each in statements
        for action in as_list(each["Action"])
        if not any(
            allows([{**each, "Action": action}], need.action, need.resource, need.context) for need in distinct.values()
        )
    }
