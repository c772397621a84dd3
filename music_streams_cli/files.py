"""Files as the ledger and the bucket know them."""

import json
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.aws import error_code
from music_streams.ledger import Entry, Status
from music_streams.sources import Source
from music_streams_cli.stack import Stack

STREAMS_PREFIX = "incoming/"
OPEN = (Status.RECEIVED, Status.VALID, Status.RUNNING, Status.PUBLISHED)  # something is still to happen by itself
_MAX_LANDED = 1_000  # versions that are looked at: one page


def name_of(entry: Entry) -> str:
    """The last segment of its key."""
    return entry.source.key.rsplit("/", 1)[-1]


def as_json(entry: Entry) -> dict[str, Any]:
    """An entry with the ledger's attribute names."""
    flat = asdict(entry)
    return {"source_id": entry.source.source_id, **flat.pop("source"), **flat}


def ended_at(entry: Entry) -> str:
    """The stamp at which its metrics stood, or at which it was put aside; '' where it is still on its way."""
    if entry.status in OPEN and not entry.published_at:
        return ""
    return entry.published_at or entry.updated_at


def reason_of(stack: Stack, entry: Entry) -> dict[str, Any] | None:
    """The reason.json beside a quarantined file; None where there is none."""
    if entry.status is not Status.QUARANTINED or not entry.archive_key:
        return None
    key = entry.archive_key.rsplit("/", 1)[0] + "/reason.json"
    try:
        body = stack.s3.get_object(Bucket=entry.source.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) in {"NoSuchKey", "404"}:
            return None
        raise
    reason: dict[str, Any] = json.loads(body)
    return reason


def landed(stack: Stack, known: set[str]) -> list[Source]:
    """Object versions in ``incoming/`` that the ledger does not know yet: their events are on the way.

    Args:
        stack: where to look; at the first thousand versions only.
        known: source_ids that have an entry and need no look.
    """
    page = stack.s3.list_object_versions(Bucket=stack.landing_bucket, Prefix=STREAMS_PREFIX, MaxKeys=_MAX_LANDED)
    found = [
        Source(stack.landing_bucket, each["Key"], each["VersionId"], each["Size"], clock.stamp(each["LastModified"]))
        for each in page.get("Versions", [])
        if not each["Key"].endswith("/")
    ]
    doubtful = [source for source in found if source.source_id not in known]
    entries = stack.ledger.entries(source.source_id for source in doubtful)
    return [source for source in doubtful if source.source_id not in entries]
