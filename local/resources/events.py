"""EventBridge rules. Rules with a schedule are recorded and never run."""

import json

from local.loose_types import Json
from local.resources.base import NO_BILLING, NO_PERMISSIONS, Physical, Resource, Stack, resource_type

# The targets and their properties that event_bus supports.
_SERVICES = {"lambda", "sns", "sqs", "states"}
_TARGET_SUPPORTED = {"Arn", "Id", "Input", "InputPath", "InputTransformer"}
_TARGET_IGNORED = {
    "DeadLetterConfig": "a delivery does not fail here",
    "RetryPolicy": "a delivery does not fail here",
    "RoleArn": NO_PERMISSIONS,
}
_FILTERS = {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}


@resource_type(
    "AWS::Events::Rule",
    supported={"Description", "EventPattern", "Name", "ScheduleExpression", "State", "Targets"},
    ignored={NO_PERMISSIONS: {"RoleArn"}, NO_BILLING: {"Tags"}},
)
def rule(stack: Stack, resource: Resource) -> Physical:
    """Create or update a rule of the default bus; its targets become exactly those of the template."""
    name = stack.physical_name(resource, "Name")
    pattern = resource.properties.get("EventPattern")
    trigger = resource.chosen("ScheduleExpression")
    if bool(pattern) == bool(trigger):
        raise resource.unsupported("a rule without EventPattern or ScheduleExpression, or with both")
    if pattern:
        _check_pattern(resource, pattern)
        trigger = {"EventPattern": json.dumps(pattern)}
    targets = [_checked_target(resource, target) for target in resource.properties.get("Targets", [])]
    created = stack.call("events", "put_rule", Name=name, **trigger, **resource.chosen("Description", "State"))
    wanted = {target["Id"] for target in targets}
    present = stack.call("events", "list_targets_by_rule", Rule=name)["Targets"]
    if outdated := [target["Id"] for target in present if target["Id"] not in wanted]:
        stack.call("events", "remove_targets", Rule=name, Ids=outdated)
    if targets:
        stack.call("events", "put_targets", Rule=name, Targets=targets)
    return Physical(name, {"Arn": created["RuleArn"]})


def _check_pattern(resource: Resource, pattern: dict[str, Json]) -> None:
    for name, value in pattern.items():
        if isinstance(value, dict):
            _check_pattern(resource, value)
        elif name == "$or":
            for alternative in value:
                _check_pattern(resource, alternative)
        else:
            for item in value:
                if isinstance(item, dict) and not _FILTERS.issuperset(item):
                    raise resource.unsupported(f"the filter {', '.join(item)} in EventPattern")


def _checked_target(resource: Resource, target: dict[str, Json]) -> dict[str, Json]:
    if unknown := sorted(set(target) - _TARGET_SUPPORTED - set(_TARGET_IGNORED)):
        raise resource.unsupported(f"Targets.{unknown[0]}")
    service = target["Arn"].split(":")[2]
    if service not in _SERVICES:
        raise resource.unsupported(f"targets of {service}")
    return {name: value for name, value in target.items() if name in _TARGET_SUPPORTED}
