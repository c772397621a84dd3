"""S3 object-created events, as EventBridge puts them into the arrivals queue, become sources.

The key is taken as it stands in ``detail.object.key``: EventBridge carries it raw, not URL-encoded.
"""

import json
from typing import Any

from music_streams import clock
from music_streams.errors import BadEvent
from music_streams.sources import Source, kind_of


def source_of(body: str) -> Source | None:
    """The source that a queue message announces; None where the key is not for the pipeline.

    Raises:
        BadEvent: the message is no S3 event, or its bucket keeps no versions.
    """
    try:
        event: dict[str, Any] = json.loads(body)
        detail = event["detail"]
        bucket, key, size = detail["bucket"]["name"], detail["object"]["key"], detail["object"].get("size", 0)
        kind = kind_of(key)
        received_at = clock.stamp(clock.parse(event["time"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # What it says is not logged: it may be a request that names a user, misspelt.
        told = f"the message is no S3 object-created event ({type(error).__name__}): music-streams dlq list shows it"
        raise BadEvent(told) from None
    if kind is None:
        return None
    version_id = detail["object"].get("version-id")
    if not version_id:
        raise BadEvent(f"the event for s3://{bucket}/{key} has no version: switch on versioning for the bucket")
    return Source(bucket, key, version_id, size, received_at)


def event_of(source: Source) -> str:
    """The event of a source as :func:`source_of` reads it, where S3's own was lost."""
    found = {"key": source.key, "size": source.size, "version-id": source.version_id}
    detail = {"bucket": {"name": source.bucket}, "object": found}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": source.received_at, "detail": detail}
    return json.dumps(event)
