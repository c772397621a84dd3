"""What job runs asked of the local cloud, held against the statements of their roles."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.state import StateDir
from tests.permissions.calls import Need, needs, needs_of_missing
from tests.permissions.statements import allows
from tests.template import Template, role_statements

_plain = TypeDeserializer().deserialize


def asked(state: StateDir, logical_ids: Mapping[str, str]) -> dict[str, list[Need]]:
    """What the runs of each job needed, by the job's name.

    Args:
        state: of the local cloud.
        logical_ids: by physical name, the resource's id in the template.
    """
    found: defaultdict[str, list[Need]] = defaultdict(list)
    for line in state.calls_file.read_text().splitlines():
        call = json.loads(line)
        parameters = _as_given(call["service"], call["parameters"])
        service, operation = call["service"], call["operation"]
        needed = needs(service, operation, parameters, logical_ids.__getitem__)
        found[call["job"]] += needed
        if call.get("missing"):
            for need in needed:
                found[call["job"]] += needs_of_missing(service, operation, need.resource)
    return dict(found)


def refusals(template: Template, role: str, asked: list[Need]) -> list[Need]:
    """What of that the role does not grant."""
    granted = role_statements(template, role)
    return [need for need in asked if not allows(granted, need.action, need.resource, need.context)]


def _as_given(service: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """As code gives them to the SDK: values of DynamoDB travel with their types."""
    told = dict(parameters)
    if service == "dynamodb":
        for name in {"Key", "Item"} & set(told):
            told[name] = {attribute: _plain(value) for attribute, value in told[name].items()}
    return told
