"""JSON objects in S3, parsed strictly.

Anybody with write access to a bucket can put anything under these keys. An object that is not JSON, or lacks the
expected fields, raises DamagedObject, which names the object and says what to do.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from music_streams import strict
from music_streams.aws.clients import is_gone
from music_streams.errors import DamagedObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

T = TypeVar("T")


def write_json(
    s3: S3Client,
    bucket: str,
    key: str,
    content: object,
    *,
    indent: int | None = None,
    is_ascii: bool = False,
    is_first: bool = False,
) -> None:
    """Write `content` as a JSON object, in one line unless `indent` is given.

    With `is_first` it is written only if there is none.

    Raises:
        ClientError: S3 rejected it; with the code ``PreconditionFailed`` if `is_first` and there is one.
    """
    body = json.dumps(content, ensure_ascii=is_ascii, indent=indent).encode()
    request: dict[str, Any] = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": "application/json"}
    if is_first:
        request["IfNoneMatch"] = "*"
    s3.put_object(**request)


def read_json(s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str) -> T:
    """Read an object that must exist.

    `form` converts it. If it raises an error about a missing field or a wrong value, the object is damaged;
    `what_to_do` about that is a clause that ends the error message.

    Raises:
        DamagedObject: it is not a JSON object, or not of that form.
        ClientError: S3 does not return it, or there is none.
    """
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return form(strict.json_object(body))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # The key is untrusted as well: ascii() makes it one printable line.
        uri = ascii(f"s3://{bucket}/{key}")[1:-1]
        raise DamagedObject(uri, _problem(error), what_to_do) from error


def find_json(s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str) -> T | None:
    """Read an object as :func:`read_json` does; None if there is none."""
    try:
        return read_json(s3, bucket, key, form, what_to_do)
    except ClientError as error:
        if is_gone(error):
            return None
        raise


def find_sound_json(
    s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str
) -> T | None:
    """Read an optional object as :func:`find_json` does; a damaged one is logged and None is returned."""
    try:
        return find_json(s3, bucket, key, form, what_to_do)
    except DamagedObject as error:
        log.warning("%s", error)
        return None


def _problem(error: Exception) -> str:
    """Describe what is wrong. Python's own errors may repeat a value, so only their kind or the field is reported."""
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if type(error) is ValueError:
        return f"it {error}" if str(error).startswith("must be") else "it contains an invalid value"
    return "a field is missing, unknown or of another type"
