"""Check each AWS call of code that acts in a role's name against the role's statements."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.permissions.calls import Need, needs, needs_of_missing
from tests.permissions.statements import allows

OTHERS = "not in the role's name"
"""The name of threads in which a test acts for others, without the role."""


@dataclass
class Acts:
    """The AWS calls in a role's name."""

    granted: list[Need] = field(default_factory=list)
    refused: list[Need] = field(default_factory=list)


@contextmanager
def acting(
    statements: list[dict[str, Any]],
    logical_ids: Mapping[str, str],
    answers: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType({}),
) -> Iterator[Acts]:
    """Deny every call, in any thread, that the statements of a role do not allow, as AWS does.

    Args:
        statements: the role's statements.
        logical_ids: the resources' ids in the template, by physical name or ARN.
        answers: responses to allowed calls that moto cannot execute, by service and operation.
    """
    acts = Acts()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # its stub shows the public part

    def check(need: Need, operation: str) -> None:
        if not allows(statements, need.action, need.resource, need.context):
            acts.refused.append(need)
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": str(need)}}, operation)
        acts.granted.append(need)

    def checked(client: Any, operation: str, params: dict[str, Any]) -> Any:
        if threading.current_thread().name == OTHERS:
            return call(client, operation, params)
        service = client.meta.service_model.service_name
        needed = needs(service, operation, params, logical_ids.__getitem__)
        for need in needed:
            check(need, operation)
        if (service, operation) in answers:
            return answers[service, operation]
        try:
            return call(client, operation, params)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                for need in needed:
                    for additional in needs_of_missing(service, operation, need.resource):
                        check(additional, operation)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", checked)
        yield acts
