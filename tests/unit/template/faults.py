"""Faults that tests plant into copies of the template, each declared above the rule that finds it."""

from collections.abc import Callable
from typing import Any

from tests.template import Rule, as_list

Resources = dict[str, Any]
Change = Callable[[Resources], object]
MACHINE = "state machine"
"""A change treats its definition like the properties of a resource of this name."""

RULES: dict[Rule, list[tuple[Change, str]]] = {}
"""Every rule with its faults: the change that plants each, and a text that the finding must contain."""


def finds(plant: Change, at: str) -> Callable[[Rule], Rule]:
    """Register a rule with a fault that it finds. A finding must contain the text `at`."""

    def register(rule: Rule) -> Rule:
        RULES.setdefault(rule, []).append((plant, at))
        return rule

    return register


def put(path: str, value: Any) -> Change:
    """Set a property: ``ArrivalsQueue/VisibilityTimeout``."""

    def change(resources: Resources) -> None:
        holder, last = _holder(resources, path)
        holder[last] = value

    return change


def add(path: str, value: Any) -> Change:
    """Append to a list."""

    def change(resources: Resources) -> None:
        holder, last = _holder(resources, path)
        holder[last].append(value)

    return change


def drop(path: str) -> Change:
    """Remove a property, which must exist."""

    def change(resources: Resources) -> None:
        holder, last = _holder(resources, path)
        del holder[last]

    return change


def _holder(resources: Resources, path: str) -> tuple[Any, Any]:
    name, *steps, last = path.split("/")
    holder = resources[name]["Properties"]
    for step in steps:
        holder = holder[int(step) if isinstance(holder, list) else step]
    return holder, int(last) if isinstance(holder, list) else last


def attribute(name: str, **attributes: str) -> Change:
    """Set attributes of a resource beside its properties."""
    return lambda resources: resources[name].update(attributes)


def remove(name: str) -> Change:
    """Remove a resource."""
    return lambda resources: resources.pop(name)


def grant(role: str, action: str, resource: Any) -> Change:
    """Add a statement to a role's last policy; a shared policy for logs, if any, comes first."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return add(f"{role}/Policies/-1/PolicyDocument/Statement", statement)


def revoke(role: str, action: str) -> Change:
    """Remove an action from every statement of a role."""

    def change(resources: Resources) -> None:
        policies = resources[role]["Properties"]["Policies"]
        statements = [item for policy in policies for item in policy["PolicyDocument"]["Statement"]]
        assert any(action in as_list(statement["Action"]) for statement in statements)
        for statement in statements:
            kept = [each for each in as_list(statement["Action"]) if each != action]
            statement["Action"] = kept or ["tag:GetTagKeys"]

    return change


def statement_of(policy: str, sid: str, **changes: Any) -> Change:
    """Change a statement of a resource policy or key policy."""

    def change(resources: Resources) -> None:
        properties = resources[policy]["Properties"]
        document = properties.get("PolicyDocument") or properties["KeyPolicy"]
        [found] = [each for each in document["Statement"] if each["Sid"] == sid]
        found.update(changes)

    return change


def arn(name: str) -> dict[str, list[str]]:
    """Return the ARN of a resource."""
    return {"Fn::GetAtt": [name, "Arn"]}
