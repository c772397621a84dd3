"""AWS API calls to the cloud's endpoint."""

import threading
from collections.abc import Callable

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from local.credentials import Credentials
from local.intrinsics import as_text
from local.loose_types import Json

ACCOUNT = "123456789012"

_FROM_TEXT: dict[str, Callable[[str], Json]] = {
    **dict.fromkeys(("integer", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    "boolean": lambda text: text.lower() == "true",
}


class Aws:
    """Clients of one endpoint that ignore profiles, proxies and credentials of the user's environment."""

    def __init__(self, endpoint: str, region: str, credentials: Credentials) -> None:
        self.endpoint = endpoint
        self.region = region
        self.credentials = credentials
        self._clients: dict[str, Json] = {}
        self._lock = threading.Lock()  # sessions, unlike clients, are not safe to share between threads
        unset = (None, None, None, None)
        core: Json = botocore.session.Session(
            session_vars={"profile": unset, "config_file": unset, "credentials_file": unset}
        )
        self._session: Json = boto3.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            region_name=region,
            botocore_session=core,
        )

    def client(self, service: str) -> Json:  # boto3 clients are untyped
        """Return the shared client of a service. Any thread may use it."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,
                    endpoint_url=self.endpoint,
                    config=Config(
                        proxies={},
                        retries={"total_max_attempts": 2, "mode": "standard"},
                        s3={"addressing_style": "path"},
                        max_pool_connections=50,
                    ),
                )
            return self._clients[service]

    def call(self, service: str, operation: str, **parameters: Json) -> dict[str, Json]:
        """Call an operation with values as a template has them, for example text instead of numbers."""
        client = self.client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        result: dict[str, Json] = getattr(client, operation)(**coerce(parameters, model.input_shape))
        return result


def coerce(value: Json, shape: Json) -> Json:
    """Convert a value to the types of the API's shape, as CloudFormation does: "5" → 5, true → "true"."""
    kind = getattr(shape, "type_name", None)
    if kind == "structure" and isinstance(value, dict):
        return {key: coerce(item, shape.members.get(key)) for key, item in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {key: coerce(item, shape.value) for key, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [coerce(item, shape.member) for item in value]
    if kind in _FROM_TEXT and isinstance(value, str):
        return _FROM_TEXT[kind](value)
    return as_text(value) if kind == "string" and isinstance(value, int | float) else value


def code_of(error: ClientError) -> str:
    """Return the error code, such as ResourceNotFoundException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of s3://bucket/key. Raises ValueError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in {"s3", "s3a"} or not bucket:
        raise ValueError(f"not an S3 URI: {uri!r}")
    return bucket, key
