"""The calls of job runs, which the local cloud records, compared with the statements of their roles."""

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


def needs_by_job(state: StateDir, logical_ids: Mapping[str, str]) -> dict[str, list[Need]]:
    """Return the permissions that the runs of each job needed, by the job's name.

    Args:
        state: the local cloud's state folder.
        logical_ids: the resources' ids in the template, by physical name.
    """
    by_job: defaultdict[str, list[Need]] = defaultdict(list)
    for line in state.calls_file.read_text().splitlines():
        call = json.loads(line)
        parameters = _as_given(call["service"], call["parameters"])
        service, operation = call["service"], call["operation"]
        needed = needs(service, operation, parameters, logical_ids.__getitem__)
        by_job[call["job"]] += needed
        if call.get("missing"):
            for need in needed:
                by_job[call["job"]] += needs_of_missing(service, operation, need.resource)
    return dict(by_job)


def refusals(template: Template, role: str, needed: list[Need]) -> list[Need]:
    """Return the needed permissions that the role does not grant."""
    granted = role_statements(template, role)
    return [need for need in needed if not allows(granted, need.action, need.resource, need.context)]


def _as_given(service: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as code passes them to the SDK, which adds types to DynamoDB's values."""
    given = dict(parameters)
    if service == "dynamodb":
        for name in {"Key", "Item"} & set(given):
            given[name] = {attribute: _plain(value) for attribute, value in given[name].items()}
    return given
