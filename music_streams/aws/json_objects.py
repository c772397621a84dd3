"""JSON objects in S3: written whole, read strictly.

Whoever may write to a bucket may write anything under these keys. What is no JSON, or not of the form that its reader
needs, is one error, which names the object and says what to do.
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
    """Write `content` as one JSON object: in one line without `indent`, in ASCII if asked for.

    With `is_first` it is written only where there is none.

    Raises:
        ClientError: S3 did not take it; ``PreconditionFailed`` where it was to be the first and is not.
    """
    body = json.dumps(content, ensure_ascii=is_ascii, indent=indent).encode()
    request: dict[str, Any] = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": "application/json"}
    if is_first:
        request["IfNoneMatch"] = "*"
    s3.put_object(**request)


def read_json(s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str) -> T:
    """Read an object that must be there.

    `form` makes of it what the reader needs: the errors that it raises for lack of a field, or for a value that is
    none, say that the object is damaged. `what_to_do` with that is a sentence without its end.

    Raises:
        DamagedObject: it is no JSON object, or not of that form.
        ClientError: S3 does not give it, or there is none.
    """
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return form(strict.json_object(body))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Whoever wrote it may have named it too: in ASCII its name is one line that prints.
        uri = ascii(f"s3://{bucket}/{key}")[1:-1]
        raise DamagedObject(uri, _trouble(error), what_to_do) from error


def find_json(s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str) -> T | None:
    """As :func:`read_json`; None where there is no such object."""
    try:
        return read_json(s3, bucket, key, form, what_to_do)
    except ClientError as error:
        if is_gone(error):
            return None
        raise


def find_sound_json(
    s3: S3Client, bucket: str, key: str, form: Callable[[dict[str, Any]], T], what_to_do: str
) -> T | None:
    """As :func:`find_json`, for those who go on without it: None too where it is damaged, with a line in the log."""
    try:
        return find_json(s3, bucket, key, form, what_to_do)
    except DamagedObject as error:
        log.warning("%s", error)
        return None


def _trouble(error: Exception) -> str:
    """What is wrong. Python's own errors may repeat a value, so only their kind or the field is reported."""
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if type(error) is ValueError:
        return f"it {error}" if str(error).startswith("must be") else "a value in it is none of those that may be"
    return "a field is missing, unknown or of another type"
