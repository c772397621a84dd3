"""The AWS clients of the package, with the retries that a busy table or bucket needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

PARALLEL_CALLS = 16
# S3 answers 405 for a version that is a delete marker. The response to HEAD has no body: its code is the HTTP status.
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed"}


def config(max_attempts: int = 10, **options: Any) -> Config:  # noqa: ANN401 - botocore's own
    """Return the settings of every client: timeouts, retries, connections, and further options of botocore's Config."""
    return Config(
        retries={"mode": "standard", "max_attempts": max_attempts},
        max_pool_connections=PARALLEL_CALLS,
        connect_timeout=5,
        read_timeout=60,
        **options,
    )


def client(service: str) -> Any:  # noqa: ANN401 - callers name the stub type of the service
    """Return a client of an AWS service; region, credentials and endpoint come from the environment."""
    return boto3.client(service, config=config())  # type: ignore[call-overload]  # service is not a literal


def dynamodb() -> Any:  # noqa: ANN401 - its stub type knows neither plain values nor condition objects
    """Return a DynamoDB client that accepts condition objects, and accepts and returns plain Python values.

    It is the client behind boto3's resource, and unlike the resource it is thread-safe.
    """
    return boto3.resource("dynamodb", config=config()).meta.client


def error_code(error: Exception) -> str:
    """Return the AWS error code of a botocore ClientError, or '' for any other exception."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def is_gone(error: Exception) -> bool:
    """Whether an error means that an object, or the requested version, does not exist."""
    return error_code(error) in _GONE


def split_uri(uri: str) -> tuple[str, str]:
    """Split ``s3://bucket/key`` into bucket and key. Raises ValueError if the text is not an S3 URI."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"not an S3 URI: {uri!r}")
    return bucket, key
