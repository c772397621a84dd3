"""Converts S3's "Object Created" events, as EventBridge sends them to the arrivals queue, to sources.

The key in ``detail.object.key`` is used unchanged: EventBridge does not URL-encode it.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from music_streams import clock, strict
from music_streams.errors import BadEvent
from music_streams.state.object_keys import kind_of
from music_streams.state.sources import Source

_MAX_BYTES = 1024  # of a key or a version: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_VERSION = re.compile(rf"[!-~]{{1,{_MAX_BYTES}}}")
_FIRST_OBJECT = "2006-03-14T00:00:00.000Z"  # the day on which S3 was launched
_MAX_CLOCK_SKEW = timedelta(days=1)


def source_of(body: str, bucket: str) -> Source | None:
    """Return the source that a message announces; None if the pipeline does not process the key.

    Raises:
        BadEvent: the message is not an "Object Created" event of the landing bucket, or the bucket is not versioned.
            The error names the field and its required form.
    """
    try:
        event = strict.json_object(body)
        if (event.get("source"), event.get("detail-type")) != ("aws.s3", "Object Created"):
            raise ValueError("source and detail-type must be aws.s3 and Object Created")
        detail = _field(event, "detail", strict.mapping)
        event_bucket = _field(
            _field(detail, "bucket", strict.mapping), "name", lambda name: strict.utf8(name, _MAX_BYTES)
        )
        s3_object = _field(detail, "object", strict.mapping)
        key = _field(s3_object, "key", lambda key: strict.utf8(key, _MAX_BYTES))
        size = _field({"size": 0, **s3_object}, "size", lambda size: strict.whole(size, least=0))
        received_at = _field(event, "time", _arrival)
    except ValueError as error:
        raise BadEvent(f"the message is not an S3 Object Created event: {error}") from None
    if event_bucket != bucket:
        raise BadEvent(f"the event is for another bucket: the pipeline processes only objects in {bucket}")
    if kind_of(key) is None:
        return None
    version_id = s3_object.get("version-id")
    if not version_id:
        raise BadEvent(f"the event for {key!r} has no version-id: enable versioning on {bucket}")
    if not isinstance(version_id, str) or not _VERSION.fullmatch(version_id):
        raise BadEvent(f"the event for {key!r} has a version-id that is not from S3")
    return Source(bucket, key, version_id, size, received_at)


def _field(record: dict[str, Any], name: str, check: Any) -> Any:  # noqa: ANN401 - the type that the check returns
    try:
        return check(record.get(name))
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _arrival(value: object) -> str:
    arrived = clock.timestamp(clock.parse(strict.timestamp(value)))
    if not _FIRST_OBJECT <= arrived <= clock.timestamp(datetime.now(UTC) + _MAX_CLOCK_SKEW):
        raise ValueError("must be between the launch of S3 (2006-03-14) and a day from now")
    return arrived


def event_of(source: Source) -> str:
    """Return an event for a source whose S3 event was lost, in the form that :func:`source_of` reads."""
    s3_object = {"key": source.key, "size": source.size, "version-id": source.version_id}
    detail = {"bucket": {"name": source.bucket}, "object": s3_object}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": source.received_at, "detail": detail}
    return json.dumps(event)
