"""While code acts in a role's name, each of its calls of AWS is held against the role's statements."""

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
"""The name of threads in which a test plays the part of others."""


@dataclass
class Acts:
    """What was asked of AWS in a role's name."""

    granted: list[Need] = field(default_factory=list)
    refused: list[Need] = field(default_factory=list)


@contextmanager
def acting(
    statements: list[dict[str, Any]],
    logical_ids: Mapping[str, str],
    answers: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType({}),
) -> Iterator[Acts]:
    """Refuse every call, in whatever thread, that the statements of a role do not allow, as AWS does.

    Args:
        statements: of the role.
        logical_ids: by physical name or ARN, the resource's id in the template.
        answers: to calls that are allowed and that nothing here could carry out, by service and operation.
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
                    for more in needs_of_missing(service, operation, need.resource):
                        check(more, operation)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", checked)
        yield acts
