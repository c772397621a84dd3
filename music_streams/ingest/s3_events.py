"""S3 object-created events, as EventBridge puts them into the arrivals queue, become sources.

The key is taken as it stands in ``detail.object.key``: EventBridge carries it raw, not URL-encoded.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from music_streams import clock, strict
from music_streams.errors import BadEvent
from music_streams.state.object_keys import kind_of
from music_streams.state.sources import Source

_MOST_BYTES = 1024  # of a key or a version: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_VERSION = re.compile(rf"[!-~]{{1,{_MOST_BYTES}}}")
_FIRST_OBJECT = "2006-03-14T00:00:00.000Z"  # S3 opened that day
_CLOCKS_DIFFER = timedelta(days=1)


def source_of(body: str, bucket: str) -> Source | None:
    """The source that a queue message announces; None where the key is not for the pipeline.

    Args:
        body: the message.
        bucket: the landing bucket: objects of no other are ours.

    Raises:
        BadEvent: the message is no S3 object-created event of that bucket, or the bucket keeps no versions. The error
            names the field and the form that it must have.
    """
    try:
        event = strict.json_object(body)
        if (event.get("source"), event.get("detail-type")) != ("aws.s3", "Object Created"):
            raise ValueError("source and detail-type must be aws.s3 and Object Created")
        detail = _field(event, "detail", strict.mapping)
        named = _field(_field(detail, "bucket", strict.mapping), "name", lambda name: strict.utf8(name, _MOST_BYTES))
        found = _field(detail, "object", strict.mapping)
        key = _field(found, "key", lambda key: strict.utf8(key, _MOST_BYTES))
        size = _field({"size": 0, **found}, "size", lambda size: strict.whole(size, least=0))
        received_at = _field(event, "time", _arrival)
    except ValueError as error:
        raise BadEvent(f"the message is no S3 object-created event: {error}") from None
    if named != bucket:
        raise BadEvent(f"the event is of another bucket than {bucket}: nothing there is for this pipeline")
    if kind_of(key) is None:
        return None
    version_id = found.get("version-id")
    if not version_id:
        raise BadEvent(f"the event for {key!r} has no version: switch on versioning for {bucket}")
    if not isinstance(version_id, str) or not _VERSION.fullmatch(version_id):
        raise BadEvent(f"the event for {key!r} has a version that S3 cannot have given")
    return Source(bucket, key, version_id, size, received_at)


def _field(record: dict[str, Any], name: str, check: Any) -> Any:  # noqa: ANN401 - what the check gives
    try:
        return check(record.get(name))
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _arrival(value: object) -> str:
    """The timestamp of an arrival: not before S3 was there, and not later than clocks differ."""
    arrived = clock.timestamp(clock.parse(strict.timestamp(value)))
    if not _FIRST_OBJECT <= arrived <= clock.timestamp(datetime.now(UTC) + _CLOCKS_DIFFER):
        raise ValueError("must be a time at which an object can have arrived")
    return arrived


def event_of(source: Source) -> str:
    """The event of a source as :func:`source_of` reads it, where S3's own was lost."""
    found = {"key": source.key, "size": source.size, "version-id": source.version_id}
    detail = {"bucket": {"name": source.bucket}, "object": found}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": source.received_at, "detail": detail}
    return json.dumps(event)
